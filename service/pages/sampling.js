// New points, drawn from one of a model's components or from all of them.

import { download, file, get } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { count } from "./format.js";
import { chip, field, loading, problemBox, section, table } from "./parts.js";
import { areImages, cellOf } from "./points.js";
import { curl, python, snippet } from "./snippets.js";

const SHOWN = 12; // rows
const MAX_PICTURED = 4096;
const MAX_SEED = 2 ** 32;

/** The form that samples, and what came. */
export function sampling(model, signal) {
  const input = (id, attributes) =>
    h("input", { id, type: "number", required: true, ...attributes });
  const component = h(
    "select",
    { id: "component" },
    h("option", { value: "" }, "the mixture of all"),
    model.alpha.map((_, j) => h("option", { value: j }, `component ${j}`)),
  );
  const n = input("n", { min: 1, max: MAX_PICTURED, value: areImages(model) ? 64 : 500 });
  const seed = input("seed", { min: 0, step: 1, value: 0 });
  const temperature = input("temperature", { min: 0.05, max: 2, step: 0.05, value: 1 });
  const made = h("div");

  const run = async (event) => {
    event.preventDefault();
    const query = {
      model: model.id,
      component: component.value,
      n: n.value,
      seed: seed.value,
      temperature: temperature.value,
    };
    fill(made, loading("Sampling"));
    try {
      fill(made, await shown(model, query, signal), lines(model, query));
      announce(`${count(Number(n.value), "point")} drawn`);
    } catch (problem) {
      if (!signal.aborted) fill(made, problemBox(problem));
    }
  };
  const another = () => (seed.value = Math.floor(Math.random() * MAX_SEED));
  return section(
    "Sample",
    h(
      "form",
      { onsubmit: run },
      h(
        "div",
        { class: "fields" },
        field("From", component),
        field("Points", n),
        field("Seed", seed, "The same seed gives the same points."),
        field("Temperature", temperature, "The spread of what is drawn; 1: as trained."),
      ),
      h(
        "div",
        { class: "row" },
        h("button", {}, "Sample"),
        h("button", { class: "quiet", onclick: another }, "Sample by another seed"),
      ),
    ),
    made,
  );
}

async function shown(model, query, signal) {
  const url = await file("sample", { query, accept: "image/png", signal });
  signal.addEventListener("abort", () => URL.revokeObjectURL(url), { once: true });
  const picture = h("img", { class: "pixels", src: url, alt: `${query.n} points that were drawn` });
  if (areImages(model)) return [picture, saver("samples.npy", query, "application/x-npy")];
  const { columns, components, points } = await get("sample", query, signal);
  const rows = points
    .slice(0, SHOWN)
    .map((values, at) => [chip(components[at]), ...values.map(cellOf)]);
  return [
    h(
      "div",
      { class: "columns" },
      picture,
      table("The first samples", ["Component", ...columns], rows),
    ),
    saver("samples.csv", query, "text/csv"),
  ];
}

const saver = (name, query, accept) =>
  h(
    "p",
    {},
    h(
      "button",
      {
        class: "quiet",
        type: "button",
        onclick: () => download("sample", name, { query, accept }),
      },
      `Download ${name}`,
    ),
  );

function lines(model, query) {
  const [name, accept] = areImages(model)
    ? ["samples.npy", "application/x-npy"]
    : ["samples.csv", "text/csv"];
  const { component, n, seed, temperature, model: id } = query;
  const number = (value) => (value === "" ? null : Number(value));
  const named = {
    component: number(component),
    seed: number(seed),
    temperature: number(temperature),
    model: id,
  };
  return h(
    "div",
    { class: "columns" },
    snippet("Sample with curl", curl("sample", query, [`-H 'Accept: ${accept}'`, `-o ${name}`])),
    snippet("Sample with Python", python("samples = kvae.sample", [n], named)),
  );
}
