// One model: what its components are like, how close they are, and what can be done with it.

import { call, download, file, get } from "./api.js";
import { closeness } from "./closeness.js";
import { askForAlias, deletion, reload } from "./dialogs.js";
import { fill, h } from "./dom.js";
import { extremes } from "./extremes.js";
import { number, shape, when } from "./format.js";
import { DELETED, sourceOf } from "./models.js";
import { facts, problemBox, section, table, weights } from "./parts.js";
import { tiles } from "./tiles.js";

const PAGE = 100;
const MADE = { image: 64, row: 1000 }; // points in the picture of the whole mixture

export default async function page({ args: [ref], signal }) {
  const model = await get(`models/${ref}`, {}, signal);
  const [components, name] = await Promise.all([
    everyComponent(model, signal),
    sourceName(model, signal),
  ]);
  return {
    title: model.name,
    content: [
      about(model, name),
      actions(model),
      h("div", { class: "columns" }, mixture(model, signal), closeness(components)),
      h("h2", {}, "Components"),
      tiles(model, components, signal),
      model.provenance.source === "trained" && extremes(model, signal),
      details(model),
    ],
  };
}

async function everyComponent(model, signal) {
  const found = [];
  for (let page = { has_more: true, last_id: null }; page.has_more;) {
    page = await get(`models/${model.id}/components`, { limit: PAGE, after: page.last_id }, signal);
    found.push(...page.data);
  }
  return found;
}

/** The name of its data set, by id; nothing where that is gone. */
async function sourceName({ provenance: { dataset } }, signal) {
  const found = dataset && (await get(`datasets/${dataset}`, {}, signal).catch(() => null));
  return new Map(found ? [[found.id, found.name]] : []);
}

function about(model, name) {
  const { job, seed, code_version, origin } = model.provenance;
  return facts([
    ["Components", number(model.components)],
    ["Training points", number(model.rows)],
    ["Shape", shape(model.shape)],
    ["Data set", name.size || !model.provenance.dataset ? sourceOf(model, name) : "deleted"],
    ...(origin ? [["Exported as", h("code", {}, origin)]] : []),
    ...(job && !origin ? [["Job", h("a", { href: `#/jobs/${job}` }, "its training")]] : []),
    ["Seed", String(seed)],
    ["Version", code_version ?? "–"],
    ["Created", when(model.created_at)],
    ["Id", h("code", {}, model.id)],
  ]);
}

function actions(model) {
  const told = h("div");
  const save = (button, path, name, accept) => async () => {
    button.disabled = true;
    await download(path, name, { accept }).catch((problem) => fill(told, problemBox(problem)));
    button.disabled = false;
  };
  const saver = (text, path, name, accept) => {
    const button = h("button", { class: "quiet" }, text);
    button.addEventListener("click", save(button, path, name, accept));
    return button;
  };
  const path = `models/${model.id}`;
  return [
    aliases(model, told),
    h(
      "div",
      { class: "row" },
      h("a", { class: "button", href: `#/try/${model.id}` }, "Try it"),
      h("a", { class: "button quiet", href: `#/compare?left=${model.id}` }, "Compare"),
      model.provenance.source === "trained" &&
        saver(
          "Download the assignments",
          `${path}/assignments`,
          `${model.name}-assigned.csv`,
          "text/csv",
        ),
      saver("Export", `${path}/export`, `${model.name}.zip`),
      deletion(path, model.name, DELETED, "#/models"),
    ),
    told,
  ];
}

function aliases(model, told) {
  const drop = async (name) => {
    const gone = call(`aliases/${encodeURIComponent(name)}`, { method: "DELETE" });
    await gone.then(reload).catch((problem) => fill(told, problemBox(problem)));
  };
  const shown = model.aliases.map((name) =>
    h(
      "span",
      { class: "badge" },
      name,
      " ",
      h(
        "button",
        { class: "drop-alias", "aria-label": `Drop the alias ${name}`, onclick: () => drop(name) },
        "×",
      ),
    ),
  );
  return h(
    "div",
    { class: "row" },
    shown,
    h("button", { class: "quiet", onclick: () => askForAlias(model, reload) }, "Add an alias"),
  );
}

function mixture(model, signal) {
  const picture = h("div");
  const n = model.shape.length > 1 ? MADE.image : MADE.row;
  file("sample", { query: { model: model.id, n, seed: 0 }, accept: "image/png", signal })
    .then((url) => {
      signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
      fill(
        picture,
        h("img", { class: "pixels", src: url, alt: `${n} points that the mixture makes` }),
      );
    })
    .catch((problem) => signal.aborted || fill(picture, problemBox(problem)));
  return section(
    "The mixture",
    weights(model.alpha),
    picture,
    h("p", { class: "fine" }, `${n} points that it makes.`),
  );
}

function details(model) {
  const text = (value) =>
    Array.isArray(value)
      ? value.map(text).join(", ")
      : typeof value === "number"
        ? number(value)
        : String(value ?? "–");
  const pairs = (values) =>
    Object.entries(values).map(([name, value]) => [
      name,
      h("span", { class: "wrap" }, text(value)),
    ]);
  const listing = (title, values) =>
    h("details", {}, h("summary", {}, title), table(title, ["Name", "Value"], pairs(values)));
  return [
    listing("Metrics of the last iteration", model.metrics),
    listing("Configuration", model.config),
    listing("Provenance", model.provenance),
  ];
}
