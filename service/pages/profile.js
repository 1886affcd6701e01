// How a component's values lie against those of all points.

import { h } from "./dom.js";
import { number } from "./format.js";

const MAX_FEATURES = 8; // of the largest shifts
const SIGNED = new Intl.NumberFormat("en", {
  signDisplay: "exceptZero",
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});

/** @param {object[]} features of a component, the largest shift first */
export function profile(features) {
  const shown = features.slice(0, MAX_FEATURES);
  const rest = features.length - shown.length;
  return h(
    "div",
    { class: "profile" },
    shown.map((feature) => [
      h("span", { class: "name", title: feature.name }, feature.name),
      bar(feature),
      shiftOf(feature),
    ]),
    rest > 0 &&
      h(
        "p",
        { class: "fine" },
        `and ${number(rest)} more, whose means are nearer to those of all points`,
      ),
  );
}

/** The middle 90 % of all points as a line; of the component, its middle half as a box. */
function bar(feature) {
  const own = quantilesOf(feature);
  const all = feature.whole ? quantilesOf(feature.whole) : own;
  const [low, high] = [Math.min(own[0], all[0]), Math.max(own[4], all[4])];
  const at = (value) => `${(100 * (value - low)) / (high - low || 1)}%`;
  const from = (a, b) => ({ left: at(a), width: `${(100 * (b - a)) / (high - low || 1)}%` });
  const said =
    `median ${number(own[2])}, half of the points from ${number(own[1])} to ` +
    `${number(own[3])}; of all points median ${number(all[2])}`;
  return h(
    "div",
    { class: "spread", role: "img", "aria-label": said, title: said },
    h("span", { class: "all", style: from(all[0], all[4]) }),
    h("span", { class: "own", style: from(own[1], own[3]) }),
    h("span", { class: "median", style: { left: at(own[2]) } }),
  );
}

/** 5, 25, 50, 75 and 95 %; of models that keep none, as a normal distribution's. */
function quantilesOf({ quantiles, mean, deviation }) {
  if (quantiles?.length) return quantiles;
  return [-1.645, -0.674, 0, 0.674, 1.645].map((z) => mean + z * deviation);
}

function shiftOf({ shift }) {
  const title = "distance of its mean from that of all points, in standard deviations";
  return h("span", { class: "shift", title }, `${SIGNED.format(shift)} sd`);
}
