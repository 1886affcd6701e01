// What several pages are made of.

import { h } from "./dom.js";
import { percent } from "./format.js";
import { colourOf } from "./palette.js";

const LIVE = ["queued", "running", "cancelling"];

/** Whether a job can still change by itself. */
export const isLive = (job) => LIVE.includes(job.status);

/** What is shown until a page is there. */
export const loading = (text = "Loading") => h("p", { class: "loading" }, `${text}…`);

/** What is shown where there is nothing yet; the children say what to do about it. */
export const empty = (text, ...children) =>
  h("div", { class: "empty" }, h("p", {}, text), ...children);

/** What went wrong and where, by the service's own words. */
export function problemBox(problem) {
  const errors = problem.errors ?? [];
  const told = errors.length > 1 ? errors.map(({ loc, msg }) => `${loc.join(".")}: ${msg}`) : [];
  return h(
    "div",
    { class: "problem", role: "alert" },
    h("strong", {}, problem.title ?? "Something went wrong in this page"),
    h("p", {}, problem.message),
    told.length > 0 &&
      h(
        "ul",
        {},
        told.map((line) => h("li", {}, line)),
      ),
    problem.request_id && h("p", { class: "fine" }, `Request ${problem.request_id}`),
  );
}

/** A job's status as a word in a coloured pill. */
export const badge = (status) => h("span", { class: `badge ${status}` }, status);

/** Component j: its number on its colour. */
export function chip(j) {
  return h(
    "span",
    { class: "chip", style: { background: colourOf(j) }, title: `component ${j}` },
    j,
  );
}

/** Mixture weights as one stacked bar. */
export function weights(alpha) {
  const said = alpha.map((share, j) => `component ${j} ${percent(share)}`).join(", ");
  const parts = alpha.map((share, j) =>
    h("span", { style: { background: colourOf(j), "flex-grow": share } }),
  );
  return h("div", { class: "weights", role: "img", "aria-label": said, title: said }, parts);
}

/** How far something is, 0 to 1, or null while nobody knows. */
export function progressBar(fraction, label) {
  return h("progress", { max: 1, value: fraction, "aria-label": label }, percent(fraction));
}

/**
 * A table that scrolls by itself where the screen is narrow.
 * @param {string} caption also its name for those who listen
 * @param {string[]} head
 * @param {any[][]} rows of text or nodes; numbers are right-aligned by giving {number: text}
 */
export function table(caption, head, rows) {
  const cell = (tag, value) =>
    value?.number === undefined ? h(tag, {}, value) : h(tag, { class: "number" }, value.number);
  return h(
    "div",
    { class: "scroll", tabindex: 0, role: "region", "aria-label": caption },
    h(
      "table",
      {},
      h("caption", { class: "hidden" }, caption),
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          head.map((name, at) => heading(name, rows[0]?.[at])),
        ),
      ),
      h(
        "tbody",
        {},
        rows.map((row) =>
          h(
            "tr",
            {},
            row.map((value) => cell("td", value)),
          ),
        ),
      ),
    ),
  );
}

/** Names beside values: pairs [name, text or node]. */
export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))),
  );
}

/** A part of a page under a heading of its own. */
export const section = (title, ...children) =>
  h("section", { class: "card" }, h("h2", {}, title), ...children);

/**
 * A field of a form, with its label and, under it, a hint.
 * @param {string} label
 * @param {HTMLElement} control with an id
 * @param {string} [hint]
 */
export function field(label, control, hint) {
  if (hint) control.setAttribute("aria-describedby", `${control.id}-hint`);
  return h(
    "div",
    { class: "field" },
    h("label", { for: control.id }, label),
    control,
    hint && h("p", { class: "fine", id: `${control.id}-hint` }, hint),
  );
}

function heading(name, value) {
  return h("th", { scope: "col", class: value?.number === undefined ? null : "number" }, name);
}
