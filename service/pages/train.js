// The form that trains on a data set.

import { idempotencyKey, post } from "./api.js";
import { fill, h } from "./dom.js";
import { field, problemBox } from "./parts.js";

const PRESETS = {
  default: "What measured best",
  "paper-synthetic": "The paper's, for synthetic data",
  "paper-mnist": "The paper's, for MNIST",
};
const COMPONENTS = 10;

/** @param {object} dataset what to train on */
export function trainForm(dataset) {
  const count = number("components", {
    min: 1,
    max: 1024,
    required: true,
    value: Math.min(COMPONENTS, dataset.rows),
  });
  const isAuto = h("input", {
    id: "auto",
    type: "checkbox",
    onchange: () => (count.disabled = isAuto.checked),
  });
  const preset = h(
    "select",
    { id: "preset" },
    Object.entries(PRESETS).map(([value, text]) => h("option", { value }, text)),
  );
  const name = h("input", { id: "name", maxlength: 200, placeholder: dataset.name });
  const seed = number("seed", { min: 0, value: 0, required: true });
  const iterations = number("iterations", { min: 1, max: 10_000, placeholder: "the preset's" });
  const told = h("div");
  const button = h("button", {}, "Train");
  let key = idempotencyKey(); // a second press sends the same request

  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const request = {
      dataset: dataset.id,
      components: isAuto.checked ? "auto" : count.valueAsNumber,
      preset: preset.value,
      seed: seed.valueAsNumber,
      ...(name.value && { name: name.value }),
      ...(iterations.value && { config: { iterations: iterations.valueAsNumber } }),
    };
    try {
      const job = await post("jobs", request, { headers: { "Idempotency-Key": key } });
      location.hash = `#/jobs/${job.id}`;
    } catch (problem) {
      if (problem.status !== 0) key = idempotencyKey();
      fill(told, problemBox(problem));
      button.disabled = false;
    }
  };
  return h(
    "form",
    { onsubmit: submit },
    h(
      "div",
      { class: "fields" },
      field("Components", count, "How many models compete for the points, K."),
      field("Preset", preset),
    ),
    h(
      "p",
      {},
      isAuto,
      " ",
      h("label", { for: "auto" }, "Find the number of components in the data"),
    ),
    h(
      "details",
      {},
      h("summary", {}, "More options"),
      h(
        "div",
        { class: "fields" },
        field("Name", name),
        field("Seed", seed, "The same seed gives the same model."),
        field("Iterations", iterations),
      ),
    ),
    told,
    button,
  );
}

function number(id, attributes) {
  return h("input", { id, type: "number", step: 1, inputmode: "numeric", ...attributes });
}
