// Numbers for each pair of components, as a table whose cells are the darker the more they hold.

import { h } from "./dom.js";
import { chip } from "./parts.js";

/**
 * @param {string} caption what the rows, the columns and the numbers are
 * @param {number[][]} values (K, L)
 * @param {{shade: (value: number, j: number) => number, text: (value: number) => string,
 *          columns?: number[]}} how `shade` gives 0 to 1; `columns` the order of the columns
 */
export function matrix(caption, values, { shade, text, columns = values[0].map((_, l) => l) }) {
  const head = columns.map((l) => h("th", { scope: "col" }, chip(l)));
  const cell = (value, j) =>
    h(
      "td",
      { class: "shade", style: { "--share": `${(100 * shade(value, j)).toFixed(1)}%` } },
      text(value),
    );
  const row = (some, j) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, chip(j)),
      columns.map((l) => cell(some[l], j)),
    );
  return h(
    "div",
    { class: "scroll fit", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      { class: "matrix" },
      h("caption", { class: "hidden" }, caption),
      h("thead", {}, h("tr", {}, h("td"), head)),
      h("tbody", {}, values.map(row)),
    ),
  );
}
