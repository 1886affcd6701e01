// Try a model: assign points to its components, and sample from them.

import { assigning } from "./assigning.js";
import { modelSelect, modelsToChoose } from "./choose.js";
import { h } from "./dom.js";
import { empty, field } from "./parts.js";
import { sampling } from "./sampling.js";

export default async function page({ args: [ref], signal }) {
  const { models, named } = await modelsToChoose([ref], signal);
  const train = h("a", { class: "button", href: "#/datasets" }, "Upload data and train");
  if (models.length === 0) return { title: "Try it", content: empty("No models yet.", train) };
  const model = named[0] ?? models.find(({ aliases }) => aliases.includes("default")) ?? models[0];
  const choice = modelSelect("model", models, model);
  choice.addEventListener("change", () => (location.hash = `#/try/${choice.value}`));
  return {
    title: "Try it",
    content: [
      h("div", { class: "narrow" }, field("Model", choice)),
      h(
        "p",
        {},
        h("a", { href: `#/models/${model.id}` }, `What the components of ${model.name} are like`),
      ),
      assigning(model),
      sampling(model, signal),
    ],
  };
}
