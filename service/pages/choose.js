// The choice of a model.

import { get } from "./api.js";
import { h } from "./dom.js";
import { when } from "./format.js";

/** The newest models, and with them those of these references. */
export async function modelsToChoose(refs, signal) {
  const { data } = await get("models", { limit: 100 }, signal);
  const named = await Promise.all(
    refs.filter(Boolean).map((ref) => get(`models/${ref}`, {}, signal)),
  );
  const known = new Map([...data, ...named].map((model) => [model.id, model]));
  return { models: [...known.values()], named };
}

/** A list to choose one of some models from. */
export function modelSelect(id, models, chosen) {
  const told = ({ name, aliases, components, created_at }) =>
    [name, ...aliases, `K = ${components}`, when(created_at)].join(" · ");
  const options = models.map((model) =>
    h("option", { value: model.id, selected: model.id === chosen?.id }, told(model)),
  );
  return h("select", { id }, options);
}
