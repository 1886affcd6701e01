// Points as people see them: images, or rows of a table.

import { h } from "./dom.js";
import { number } from "./format.js";
import { table } from "./parts.js";

const COLOURS = 3;

/** Whether a model's points are images. */
export const areImages = (model) => model.shape.length > 1;

/** A value of a row, as a cell of a table. */
export const cellOf = (value) =>
  typeof value === "number" ? { number: number(value) } : String(value ?? "–");

/** Rows (records by column) as a table of some of their columns. */
export function rowTable(caption, rows, columns) {
  return table(
    caption,
    columns,
    rows.map((row) => columns.map((name) => cellOf(row[name]))),
  );
}

/**
 * An image, (H, W) or (C, H, W) nested lists.
 * @param {number[][]|number[][][]} values
 * @param {{min: number, max: number}} range of the data's pixels
 * @param {string} said what it is, in words
 */
export function image(values, { min, max }, said) {
  const channels = Array.isArray(values[0][0]) ? values : [values];
  const [height, width] = [channels[0].length, channels[0][0].length];
  const canvas = h("canvas", {
    class: "thumb",
    width,
    height,
    role: "img",
    "aria-label": said,
    title: said,
  });
  const pixels = new ImageData(width, height);
  const byte = (value) => (255 * (value - min)) / (max - min || 1);
  for (let at = 0; at < width * height; at += 1) {
    const [row, column] = [Math.floor(at / width), at % width];
    for (let c = 0; c < COLOURS; c += 1) {
      const channel = channels[channels.length < COLOURS ? 0 : c];
      pixels.data[4 * at + c] = byte(channel[row][column]);
    }
    pixels.data[4 * at + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  return canvas;
}

/** Images in a row that wraps: pairs [values, what it is]. */
export function images(model, pairs) {
  return h(
    "div",
    { class: "thumbs" },
    pairs.map(([values, said]) => image(values, rangeOf(model), said)),
  );
}

/** The range of a model's pixels. */
export const rangeOf = ({ columns: [pixels] }) => ({
  min: pixels?.min ?? 0,
  max: pixels?.max ?? 255,
});
