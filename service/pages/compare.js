// Two models beside each other, and how far they agree on the data set that both were trained on.

import { get } from "./api.js";
import { modelSelect, modelsToChoose } from "./choose.js";
import { h } from "./dom.js";
import { number, percent, when } from "./format.js";
import { matrix } from "./matrix.js";
import { empty, facts, field, problemBox, section, table, weights } from "./parts.js";

const SAID =
  "Training points that a component of the first model (row) shares with one of the second (column)";
const SHADE = "a cell is the darker the more of its row it holds";

export default async function page({ query, signal }) {
  const refs = [query.get("left"), query.get("right")];
  const { models, named } = await modelsToChoose(refs, signal);
  const title = "Compare models";
  if (models.length < 2)
    return {
      title,
      content: empty(
        "It takes two models to compare.",
        h("a", { class: "button", href: "#/datasets" }, "Train one"),
      ),
    };
  const left = refs[0] ? named[0] : (models.find((model) => twin(model, models)) ?? models[0]);
  const right = refs[1] ? named.at(-1) : partner(left, models);
  const form = choice(models, left, right);
  if (!refs[0] || !refs[1]) return { title, content: form };
  return { title, content: [form, await agreement(left, right, signal), sideBySide(left, right)] };
}

/** Another model, of the same data set if there is one. */
const partner = (model, models) =>
  twin(model, models) ?? models.find(({ id }) => id !== model.id);

const twin = (model, models) =>
  models.find(
    ({ id, provenance }) =>
      id !== model.id && provenance.dataset && provenance.dataset === model.provenance.dataset,
  );

function choice(models, left, right) {
  const [first, second] = [modelSelect("left", models, left), modelSelect("right", models, right)];
  const submit = (event) => {
    event.preventDefault();
    location.hash = `#/compare?left=${first.value}&right=${second.value}`;
  };
  return h(
    "form",
    { class: "card", onsubmit: submit },
    h("div", { class: "fields wide" }, field("First model", first), field("Second model", second)),
    h("button", {}, "Compare"),
  );
}

async function agreement(left, right, signal) {
  try {
    return shown(await get(`models/${left.id}/comparison`, { other: right.id }, signal));
  } catch (problem) {
    signal.throwIfAborted();
    return problemBox(problem);
  }
}

function shown({ rows, contingency, matching, accuracy, ari, nmi }) {
  const sizes = contingency.map((row) => row.reduce((sum, n) => sum + n, 0));
  const matched = matching.filter((l) => l !== null);
  const columns = [...matched, ...contingency[0].keys()].filter(
    (l, at, all) => all.indexOf(l) === at,
  );
  const shade = (n, j) => n / (sizes[j] || 1);
  return section(
    "Agreement",
    facts([
      ["Points", number(rows)],
      ["ARI", number(ari)],
      ["NMI", number(nmi)],
      ["In matched components", percent(accuracy)],
    ]),
    h(
      "p",
      { class: "fine" },
      `${SAID}. Columns are in the order that matches the rows best; ${SHADE}.`,
    ),
    matrix(SAID, contingency, { shade, text: (n) => (n ? number(n) : ""), columns }),
  );
}

function sideBySide(left, right) {
  const row = (name, of) => [name, of(left), of(right)];
  const scalars = Object.keys({ ...left.metrics, ...right.metrics }).filter((name) =>
    [left, right].some(({ metrics }) => typeof metrics[name] === "number"),
  );
  const options = Object.keys(left.config).filter(
    (name) => text(left.config[name]) !== text(right.config[name]),
  );
  const rows = [
    row("Model", (model) => h("a", { href: `#/models/${model.id}` }, model.name)),
    row("Created", ({ created_at }) => when(created_at)),
    row("Points", (model) => number(model.rows)),
    row("Components", ({ components }) => number(components)),
    row("Weights", ({ alpha }) => weights(alpha)),
    ...scalars.map((name) => row(`Metric ${name}`, ({ metrics }) => number(metrics[name]))),
    ...options.map((name) => row(`Option ${name}`, ({ config }) => text(config[name]))),
  ];
  return [h("h2", {}, "Side by side"), table("Side by side", ["What", "First", "Second"], rows)];
}

const text = (value) => (typeof value === "string" ? value : JSON.stringify(value ?? null));
