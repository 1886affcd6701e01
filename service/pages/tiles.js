// A model's components as tiles: size, typical members beside samples, profile.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { count, percent } from "./format.js";
import { chip, loading, problemBox } from "./parts.js";
import { areImages, images, rowTable } from "./points.js";
import { profile } from "./profile.js";

const AT_ONCE = 24; // tiles; more are shown when asked for
const ROWS = 4;
const COLUMNS = 4;
const CLOSE = 0.01; // mean posterior from which another component is named

/**
 * @param {object} model
 * @param {object[]} components all of them
 * @param {AbortSignal} signal aborted when the page is left
 */
export function tiles(model, components, signal) {
  const place = h("div", { class: "tiles" });
  const more = h("button", { class: "quiet", onclick: () => add() }, "Show more components");
  const add = async () => {
    const next = components.slice(place.children.length, place.children.length + AT_ONCE);
    const bodies = next.map(() => h("div", {}, loading()));
    place.append(...next.map((component, at) => tile(component, bodies[at])));
    more.hidden = place.children.length >= components.length;
    for (const [at, { component }] of next.entries()) {
      await show(bodies[at], model, component, signal);
      if (signal.aborted) return;
    }
  };
  add();
  return h("div", {}, place, more);
}

function tile({ component, alpha, size, posterior }, body) {
  const others = posterior
    .map((share, l) => [share, l])
    .filter(([share, l]) => l !== component && share >= CLOSE);
  const [closest] = others.sort(([a], [b]) => b - a);
  return h(
    "section",
    { class: "card tile", "aria-label": `Component ${component}` },
    h("h3", {}, chip(component), ` ${percent(alpha)}`),
    h(
      "p",
      { class: "fine" },
      count(size, "point"),
      closest && [", close to ", chip(closest[1]), ` (${percent(closest[0])})`],
    ),
    body,
  );
}

async function show(body, model, component, signal) {
  try {
    const found = await get(`models/${model.id}/components/${component}`, {}, signal);
    fill(body, areImages(model) ? pictures(model, found) : tables(found));
  } catch (problem) {
    if (!signal.aborted) fill(body, problemBox(problem));
  }
}

function pictures(model, { typical, samples }) {
  const members = typical
    .slice(0, samples.length)
    .map(({ row, values }) => [values, `typical member, row ${row}`]);
  return [
    h("h4", {}, "Typical members"),
    members.length ? images(model, members) : gone(),
    h("h4", {}, "Samples"),
    images(
      model,
      samples.map((values) => [values, "sample"]),
    ),
  ];
}

function tables({ component, features, typical, samples }) {
  const names = features.map(({ name }) => name);
  const all = Object.keys(samples[0]);
  const telling = all.filter((name) =>
    names.slice(0, COLUMNS).some((one) => one === name || one.startsWith(`${name}=`)),
  );
  const columns = (telling.length ? telling : all).slice(0, COLUMNS);
  const members = typical.slice(0, ROWS).map(({ values }) => values);
  return [
    features.length > 0 && profile(features),
    h("h4", {}, "Typical members"),
    members.length
      ? rowTable(`Typical members of component ${component}`, members, columns)
      : gone(),
    h("h4", {}, "Samples"),
    rowTable(`Samples of component ${component}`, samples.slice(0, ROWS), columns),
  ];
}

const gone = () => h("p", { class: "fine" }, "None, or its training points are not here.");
