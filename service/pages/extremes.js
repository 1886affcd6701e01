// Training points that stand out: on the border between components, and outliers.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { percent } from "./format.js";
import { chip, loading, problemBox, section, table } from "./parts.js";
import { areImages, cellOf, image, rangeOf } from "./points.js";

const SHOWN = 12;
const COLUMNS = 6;
const NOT_THERE = ["assignments_not_found", "not_kept"]; // of imported or early models

/** Sections for both, which fill themselves. */
export function extremes(model, signal) {
  return h(
    "div",
    { class: "columns" },
    card(
      model,
      "Points on the border",
      "The least sure of their component: the lowest confidence first.",
      "confidence",
      signal,
    ),
    card(
      model,
      "Outliers",
      "The least likely under the mixture as a whole: the highest outlier score first.",
      "outlier_score",
      signal,
    ),
  );
}

function card(model, title, text, order, signal) {
  const body = h("div", {}, loading());
  const node = section(title, h("p", { class: "fine" }, text), body);
  show(model, title, order, signal)
    .then((shown) => fill(body, shown))
    .catch((problem) => {
      if (NOT_THERE.includes(problem.code)) node.remove();
      else if (!signal.aborted) fill(body, problemBox(problem));
    });
  return node;
}

async function show(model, title, order, signal) {
  const { data } = await get(`models/${model.id}/assignments`, { order, limit: SHOWN }, signal);
  const points = await get(
    `datasets/${model.provenance.dataset}/rows`,
    { row: data.map(({ row }) => row), limit: SHOWN },
    signal,
  ).catch(() => ({ data: [] }));
  const values = new Map(points.data.map((point) => [point.row, point.values]));
  return areImages(model) && values.size
    ? pictures(model, data, values, order)
    : rows(title, model, data, values, order);
}

function pictures(model, data, values, order) {
  const shown = data.filter(({ row }) => values.has(row));
  return h(
    "div",
    { class: "thumbs" },
    shown.map((one) =>
      h(
        "figure",
        {},
        image(values.get(one.row), rangeOf(model), `row ${one.row}`),
        h("span", { class: "fine" }, chip(one.component), ` ${percent(one[order])}`),
      ),
    ),
  );
}

function rows(title, model, data, values, order) {
  const columns = values.size ? model.columns.slice(0, COLUMNS).map(({ name }) => name) : [];
  const head = [
    "Row",
    "Component",
    order === "confidence" ? "Confidence" : "Outlier score",
    ...columns,
  ];
  return table(
    title,
    head,
    data.map((one) => [
      { number: String(one.row) },
      chip(one.component),
      { number: percent(one[order]) },
      ...columns.map((name) => cellOf(values.get(one.row)?.[name])),
    ]),
  );
}
