// One data set: what is in it, what to look out for, and training from it.

import { file, get } from "./api.js";
import { deletion } from "./dialogs.js";
import { h } from "./dom.js";
import { bytes, number, shape, when } from "./format.js";
import { jobList } from "./joblist.js";
import { facts, section, table } from "./parts.js";
import { trainForm } from "./train.js";

const ROWS = 10;
const MARKS = {
  ",": "comma",
  ".": "point",
  ";": "semicolon",
  "|": "bar",
  "\t": "tab",
  " ": "space",
};
const MEANING = "Its points go for good. Models that were made from it stay.";
const THUMBNAILS = 60;
const MAX_COLUMNS = 100; // shown
const COLUMN_HEAD = ["Column", "Type", "Missing", "Least", "Greatest", "Mean"];

export default async function dataset({ args: [id], signal }) {
  const found = await get(`datasets/${id}`, {}, signal);
  const isTable = found.shape.length === 1;
  const jobs = await jobList({ dataset: id }, null, signal);
  return {
    title: found.name,
    content: [
      about(found),
      found.warnings.map((warning) => h("p", { class: "warning" }, warning)),
      h(
        "div",
        { class: "columns" },
        section("Train", trainForm(found)),
        !isTable && (await thumbnails(found, signal)),
      ),
      jobs && [h("h2", {}, "Jobs with it"), jobs],
      isTable && [columnTable(found.columns), await firstRows(found, signal)],
      deletion(`datasets/${id}`, found.name, MEANING, "#/datasets"),
    ],
  };
}

function about(found) {
  return facts([
    ["Points", number(found.rows)],
    ["Shape", shape(found.shape)],
    ["Format", `${found.format}, ${bytes(found.bytes)}`],
    ["Stored as", found.dtype],
    ...(found.dialect ? [["Read as", written(found.dialect)]] : []),
    ["Uploaded", when(found.created_at)],
    ["Id", h("code", {}, found.id)],
  ]);
}

function columnTable(columns) {
  const rows = columns
    .slice(0, MAX_COLUMNS)
    .map((column) => [
      column.name || "(no name)",
      column.categories ? `${column.type}: ${some(column.categories)}` : column.type,
      { number: missing(column) },
      { number: number(column.min) },
      { number: number(column.max) },
      { number: number(column.mean) },
    ]);
  return [h("h2", {}, "Columns"), table("Columns", COLUMN_HEAD, rows), more(columns.length)];
}

async function firstRows(found, signal) {
  const names = found.columns.slice(0, MAX_COLUMNS).map(({ name }) => name);
  const page = await get(`datasets/${found.id}/rows`, { limit: ROWS }, signal);
  const rows = page.data.map(({ row, values }) => [
    { number: number(row) },
    ...names.map((name) =>
      typeof values[name] === "number" ? { number: number(values[name]) } : String(values[name]),
    ),
  ]);
  return [h("h2", {}, "First rows"), table("First rows", ["Row", ...names], rows)];
}

async function thumbnails(found, signal) {
  const options = { query: { limit: THUMBNAILS }, accept: "image/png", signal };
  const url = await file(`datasets/${found.id}/rows`, options);
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
  const n = Math.min(THUMBNAILS, found.rows);
  return section(
    "First images",
    h("img", { class: "pixels", src: url, alt: `The first ${n} images of ${found.name}` }),
  );
}

function written({ header, delimiter, decimal, encoding }) {
  const between = MARKS[delimiter] ?? delimiter;
  const marks = `${between} and decimal ${MARKS[decimal]}`;
  return `${header ? "with" : "without"} a header, ${marks}, ${encoding}`;
}

const missing = ({ missing, fill }) =>
  number(missing) +
  (fill === null ? "" : `, filled with ${typeof fill === "number" ? number(fill) : fill}`);

const some = (names) =>
  names.slice(0, 5).join(", ") + (names.length > 5 ? ` and ${names.length - 5} more` : "");

const more = (n) =>
  n > MAX_COLUMNS && h("p", { class: "fine" }, `${number(n - MAX_COLUMNS)} more are not shown.`);
