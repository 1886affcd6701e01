// The choices that a file may need before it becomes points.

import { h } from "./dom.js";
import { field } from "./parts.js";

const MISSING = {
  refuse: "refuse the file",
  drop: "leave their rows out",
  mean: "fill in the column's mean",
  median: "fill in the column's median",
  mode: "fill in the commonest value",
};
const CATEGORIES = { refuse: "refuse the file", onehot: "one 0/1 column each" };
const SEEMS = "as it seems";
const HEADER = { "": SEEMS, true: "names the columns", false: "is a point already" };
const DELIMITERS = {
  "": SEEMS,
  ",": "comma",
  ";": "semicolon",
  "\t": "tab",
  "|": "bar",
  " ": "space",
};
const DECIMALS = { "": SEEMS, ".": "point", ",": "comma" };
const ENCODINGS = ["utf-8", "cp1252", "latin-1", "utf-16", "gb18030", "shift-jis", "euc-kr"];
const HEAD_BYTES = 1 << 16;

/**
 * @param {() => void} onAgain called when a refused file is to be sent again
 * @returns {{node: HTMLElement, chosen: () => object, offer: Function, forget: () => void}}
 *   `chosen` gives the options of the upload; `offer` takes the problem of a refused file and the
 *   file; `forget` is called before the next one
 */
export function uploadChoices(onAgain) {
  const controls = {
    missing: select("missing", MISSING),
    categories: select("categories", CATEGORIES),
    columns: h("textarea", { id: "columns", rows: 4, spellcheck: "false" }),
    array: h("input", { id: "array" }),
    header: select("header", HEADER),
    delimiter: select("delimiter", DELIMITERS),
    decimal: select("decimal", DECIMALS),
    encoding: h("input", { id: "encoding", list: "encodings", placeholder: SEEMS }),
  };
  const again = h("button", { hidden: true }, "Upload with these choices");
  const submit = (event) => (event.preventDefault(), onAgain());
  const form = h("form", { onsubmit: submit }, fieldsOf(controls), again);
  const node = h("details", {}, h("summary", {}, "Choices for the file"), form);

  let sent; // what was said of the columns of the last file
  const chosen = () => {
    sent = controls.columns.value;
    const values = Object.entries(controls).map(([name, control]) => [name, control.value]);
    return { ...Object.fromEntries(values), columns: linesOf(controls.columns.value) };
  };
  const offer = async ({ status, message }, file) => {
    again.hidden = status !== 422;
    if (again.hidden) return;
    node.open = true;
    if (message.includes("categories=onehot")) controls.categories.value = "onehot";
    if (message.includes("missing=")) controls.missing.value = "median";
    if (sent === "") sent = controls.columns.value = (await headerOf(file)).join("\n");
  };
  /** For the next file: what was said of the columns of the last one does not hold for it. */
  const forget = () => {
    again.hidden = true;
    if (controls.columns.value === sent) controls.columns.value = "";
  };
  return { node, chosen, offer, forget };
}

function fieldsOf({ missing, categories, columns, array, header, delimiter, decimal, encoding }) {
  return [
    h(
      "div",
      { class: "fields" },
      field("Missing values", missing),
      field("Text", categories, "What becomes of words in place of numbers."),
      field("Columns", columns, "Names of the columns to use, one a line; none: all."),
      field("Array", array, "Of an NPZ file with several: which one holds the points."),
    ),
    h(
      "fieldset",
      { class: "fields" },
      h("legend", {}, "How a CSV file is written"),
      field("First line", header),
      field("Between fields", delimiter),
      field("Decimal mark", decimal),
      field("Encoding", encoding),
    ),
    h(
      "datalist",
      { id: "encodings" },
      ENCODINGS.map((value) => h("option", { value })),
    ),
  ];
}

function select(id, meanings) {
  const options = Object.entries(meanings).map(([value, text]) => h("option", { value }, text));
  return h("select", { id }, options);
}

const linesOf = (text) => text.split("\n").filter((line) => line.trim() !== "");

/** The names in a text file's first line, so that columns can be left out. */
async function headerOf(file) {
  const [line] = (await file.slice(0, HEAD_BYTES).text()).split(/\r?\n/);
  if (line.includes("\u0000") || line.includes("\ufffd")) return [];
  const parts = [",", ";", "\t", "|"].map((delimiter) => line.split(delimiter));
  const [longest] = parts.sort((a, b) => b.length - a.length);
  const names = longest.map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  return names.every((name) => name !== "" && Number.isNaN(Number(name))) ? names : [];
}
