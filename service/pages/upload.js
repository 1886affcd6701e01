// A file on its way to the service: dropped or chosen, sent, refused with the reason or taken.

import { upload } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { percent } from "./format.js";
import { field, problemBox, progressBar } from "./parts.js";

const FORMATS = "CSV, Parquet, Arrow, NPY, NPZ, IDX, or a ZIP of PNG or JPEG images";
const MISSING = {
  refuse: "refuse the file",
  drop: "leave their rows out",
  mean: "fill in the column's mean",
  median: "fill in the column's median",
  mode: "fill in the commonest value",
};
const CATEGORIES = { refuse: "refuse the file", onehot: "one 0/1 column each" };
const HEAD_BYTES = 1 << 16;

/**
 * Where files are dropped, with the choices that a file may need.
 * @param {AbortSignal} signal aborted when the page is left
 * @param {(dataset: object) => void} onStored
 */
export function uploadCard(signal, onStored) {
  const told = h("div", { id: "upload-told" });
  const choices = choicesForm((options) => send(chosen, options));
  let chosen = null;

  const send = async (file, options = {}) => {
    chosen = file;
    const bar = progressBar(0, `Upload of ${file.name}`);
    const state = h("p", { class: "fine" }, `Sending ${file.name}`);
    fill(told, bar, state);
    const progress = (share) => {
      bar.value = share;
      state.textContent =
        share < 1 ? `Sending ${file.name}: ${percent(share)}` : `Checking ${file.name}…`;
    };
    try {
      const dataset = await upload(
        "datasets",
        { name: file.name, ...options },
        file,
        progress,
        signal,
      );
      announce(`${file.name} is stored`);
      onStored(dataset);
    } catch (problem) {
      signal.throwIfAborted();
      fill(told, problemBox(problem));
      await choices.offer(problem, file);
    }
  };
  const begin = (file) => (choices.node.reset(), send(file));
  return h("section", { class: "card stack" }, dropZone(begin), told, choices.node);
}

function dropZone(send) {
  const input = h("input", {
    id: "file",
    type: "file",
    class: "hidden",
    onchange: () => input.files[0] && send(input.files[0]),
  });
  const zone = h(
    "label",
    { class: "drop", for: "file" },
    h("strong", {}, "Drop a file of points here, or choose one"),
    h("span", { class: "fine" }, FORMATS),
  );
  const hover = (isOver) => (event) => (
    event.preventDefault(),
    zone.classList.toggle("over", isOver)
  );
  zone.addEventListener("dragover", hover(true));
  zone.addEventListener("dragleave", hover(false));
  zone.addEventListener("drop", (event) => {
    hover(false)(event);
    if (event.dataTransfer.files[0]) send(event.dataTransfer.files[0]);
  });
  return h("div", { class: "dropping" }, input, zone);
}

/** The form of an upload's options, shown once the service has refused a file. */
function choicesForm(onChosen) {
  const missing = select("missing", MISSING);
  const categories = select("categories", CATEGORIES);
  const columns = h("textarea", { id: "columns", rows: 4, spellcheck: "false" });
  const array = h("input", { id: "array" });
  const arrayField = field("Array", array, "Which array of the NPZ file holds the points.");
  const submit = (event) => {
    event.preventDefault();
    onChosen({
      missing: missing.value,
      categories: categories.value,
      columns: columns.value
        .split("\n")
        .map((name) => name.trim())
        .filter(Boolean),
      array: arrayField.hidden ? null : array.value,
    });
  };
  const node = h(
    "form",
    { hidden: true, onsubmit: submit, "aria-label": "Choices for this file" },
    h(
      "div",
      { class: "fields" },
      field("Missing values", missing),
      field("Text", categories, "What becomes of words in place of numbers."),
      field("Columns", columns, "Names of the columns to use, one a line; none: all."),
      arrayField,
    ),
    h("button", {}, "Upload with these choices"),
  );
  const offer = async (problem, file) => {
    if (problem.status !== 422) return void (node.hidden = true);
    arrayField.hidden = !problem.message.includes("'array'");
    if (problem.message.includes("categories=onehot")) categories.value = "onehot";
    if (problem.message.includes("missing=")) missing.value = "median";
    if (columns.value === "") columns.value = (await headerOf(file)).join("\n");
    node.hidden = false;
  };
  return { node, offer };
}

function select(id, meanings) {
  return h(
    "select",
    { id },
    Object.entries(meanings).map(([value, text]) => h("option", { value }, text)),
  );
}

/** The names in a text file's first line, so that columns can be left out. */
async function headerOf(file) {
  const [line] = (await file.slice(0, HEAD_BYTES).text()).split(/\r?\n/);
  if (line.includes("\u0000") || line.includes("\ufffd")) return [];
  const delimiter = [",", ";", "\t", "|"].sort(
    (a, b) => line.split(b).length - line.split(a).length,
  )[0];
  const names = line.split(delimiter).map((name) => name.trim().replace(/^"(.*)"$/, "$1"));
  return names.every((name) => name !== "" && Number.isNaN(Number(name))) ? names : [];
}
