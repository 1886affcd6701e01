// Models: all of them, newest first, with what is done to one of them.

import { get, upload } from "./api.js";
import { askForAlias, askToDelete, reload } from "./dialogs.js";
import { announce, fill, h } from "./dom.js";
import { dropZone } from "./drop.js";
import { number, when } from "./format.js";
import { list } from "./lists.js";
import { empty, problemBox, progressBar, weights } from "./parts.js";

const HEAD = ["Name", "Aliases", "Data set", "K", "Weights", "Created", "Change"];

export default async function models({ signal }) {
  const datasets = await get("datasets", { limit: 100 }, signal);
  const names = new Map(datasets.data.map(({ id, name }) => [id, name]));
  const train = h("a", { class: "button", href: "#/datasets" }, "Upload data and train");
  const row = (model) => rowOf(model, names);
  return {
    title: "Models",
    content: [
      await list("models", "Models", HEAD, row, empty("No models yet.", train), signal),
      importCard(signal),
    ],
  };
}

function rowOf(model, names) {
  const then = reload;
  const erase = () => askToDelete(`models/${model.id}`, model.name, DELETED, then);
  return [
    h("a", { href: `#/models/${model.id}` }, model.name),
    model.aliases.map((alias) => [h("span", { class: "badge" }, alias), " "]),
    sourceOf(model, names),
    { number: number(model.components) },
    weights(model.alpha),
    when(model.created_at),
    h(
      "div",
      { class: "acts" },
      h(
        "button",
        {
          class: "quiet",
          "aria-label": `Alias for ${model.name}`,
          onclick: () => askForAlias(model, then),
        },
        "Alias",
      ),
      h(
        "button",
        { class: "danger", "aria-label": `Delete ${model.name}`, onclick: erase },
        "Delete",
      ),
    ),
  ];
}

/** What goes with a model. */
export const DELETED =
  "Its weights and the components of its training points go for good; its job and data set stay.";

/** A link to the data set of a model, named where the name is known. */
export function sourceOf({ provenance: { source, dataset } }, names) {
  if (source === "imported" || !dataset) return "imported";
  return h("a", { href: `#/datasets/${dataset}` }, names.get(dataset) ?? "its data set");
}

function importCard(signal) {
  const told = h("div");
  const send = async ([file]) => {
    const bar = progressBar(0, `Upload of ${file.name}`);
    fill(told, bar);
    try {
      const model = await upload("models", {}, file, (share) => (bar.value = share), signal);
      announce(`${model.name} is imported`);
      location.hash = `#/models/${model.id}`;
    } catch (problem) {
      signal.throwIfAborted();
      fill(told, problemBox(problem));
    }
  };
  const how = {
    id: "archive",
    text: "Import a model",
    hint: "Drop the archive of an exported model here, or choose one",
    accept: ".zip",
  };
  return h("section", { class: "card stack" }, dropZone(how, send), told);
}
