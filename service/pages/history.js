// What each iteration of a training did: pictures that grow, and the same as a table.

import { fill, h } from "./dom.js";
import { duration, number, percent } from "./format.js";
import { chip, table } from "./parts.js";
import { colourOf } from "./palette.js";
import { picture } from "./plots.js";

const MAX_SHOWN = 40; // components with a line of their own: the largest
const MAX_MARKED = 30; // iterations with a dot each
const DRAW_MILLISECONDS = 150; // between two drawings
const REST = "#7b8494";
const EDGE = "rgba(255, 255, 255, 0.6)"; // between two bands
const HEAD = ["Iteration", "Moved", "Estimator loss", "Score", "Seconds"];

/**
 * @param {AbortSignal} signal aborted when the page is left
 * @returns {{bands: HTMLElement, others: HTMLElement[], add: (data: object) => void}} the picture
 *   of the mixture weights, all others, and `add`, which takes an iteration's metrics
 */
export function iterationHistory(signal) {
  const iterations = [];
  const pictures = PICTURES.map(({ caption, ...how }) => ({ ...how, ...picture(caption, signal) }));
  const cards = pictures.map(({ node }) => h("div", { class: "card", hidden: true }, node));
  const legend = h("p", { class: "legend" });
  const listed = h("div");
  const listing = h(
    "details",
    { hidden: true },
    h("summary", {}, "The iterations as a table"),
    listed,
  );
  cards[0].append(legend);
  const draw = () => {
    const shown = largest(iterations.at(-1).alpha);
    fill(
      legend,
      shown.map((j) => [chip(j), " "]),
      shown.length < iterations.at(-1).alpha.length && "and others",
    );
    listing.hidden = false;
    tell();
    for (const [at, { traces, layout, said, draw }] of pictures.entries()) {
      const drawn = traces(iterations, shown);
      cards[at].hidden = drawn.length === 0;
      if (drawn.length)
        draw(drawn, { ...layout, xaxis: wholeTicks(iterations) }, said(iterations.at(-1)));
    }
  };
  const tell = () => listing.open && fill(listed, table("Iterations", HEAD, iterations.map(row)));
  listing.addEventListener("toggle", tell);
  let timer = null;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  const add = (data) => {
    while (iterations.at(-1)?.iteration >= data.iteration) iterations.pop(); // done again
    iterations.push(data);
    timer ??= setTimeout(() => ((timer = null), draw()), DRAW_MILLISECONDS);
  };
  return {
    bands: cards[0],
    others: [h("div", { class: "columns" }, cards.slice(1)), listing],
    add,
  };
}

const PICTURES = [
  {
    caption: "Mixture weights, alpha",
    traces: bands,
    layout: { yaxis: { range: [0, 1], tickformat: ".3~p" }, height: 480 },
    said: ({ alpha }) => alpha.map((share, j) => `component ${j} ${percent(share)}`).join(", "),
  },
  {
    caption: "Share of points that moved",
    traces: (iterations) => [line(iterations, ({ changed }) => changed)],
    layout: { yaxis: { rangemode: "tozero", tickformat: ".3~p" } },
    said: ({ changed }) => `now ${percent(changed)}`,
  },
  {
    caption: "Log-likelihood, nats a point",
    traces: (iterations) =>
      has(iterations, "log_likelihood") ? [line(iterations, (one) => one.log_likelihood)] : [],
    layout: {},
    said: (last) => `now ${number(last.log_likelihood)}`,
  },
  {
    caption: "Losses of the generators, nats",
    traces: (iterations, shown) =>
      shown.map((j) => line(iterations, ({ losses }) => losses[j], `component ${j}`, colourOf(j))),
    layout: {},
    said: ({ losses }) => losses.map((loss, j) => `component ${j} ${number(loss)}`).join(", "),
  },
  {
    caption: "Loss of the density estimator",
    traces: (iterations) => [line(iterations, ({ estimator_loss }) => estimator_loss)],
    layout: { yaxis: { rangemode: "tozero" } },
    said: ({ estimator_loss }) => `now ${number(estimator_loss)}`,
  },
];

/** One band a component, on top of each other. A single iteration is drawn as wide as one. */
function bands(iterations, shown) {
  const drawn =
    iterations.length > 1
      ? iterations
      : [iterations[0], { ...iterations[0], iteration: iterations[0].iteration + 1 }];
  const band = (name, colour, y) => ({
    x: drawn.map(({ iteration }) => iteration),
    y: drawn.map(({ alpha }) => y(alpha)),
    name,
    stackgroup: "alpha",
    mode: "lines",
    line: { width: 1, color: EDGE },
    fillcolor: colour,
    hovertemplate: "%{y:.1%}",
  });
  const rest = (alpha) => 1 - shown.reduce((sum, j) => sum + alpha[j], 0);
  const all = shown.map((j) => band(`component ${j}`, colourOf(j), (alpha) => alpha[j]));
  return shown.length < iterations[0].alpha.length ? [...all, band("others", REST, rest)] : all;
}

function line(iterations, y, name = "", colour = colourOf(0)) {
  return {
    x: iterations.map(({ iteration }) => iteration),
    y: iterations.map(y),
    name,
    mode: iterations.length > MAX_MARKED ? "lines" : "lines+markers",
    line: { width: 2, color: colour },
    marker: { size: 5 },
    hovertemplate: "%{y:.4g}",
  };
}

/** Ticks at round iterations, at most eight. */
function wholeTicks(iterations) {
  const n = iterations.length;
  const steps = [1, 2, 5].flatMap((step) => [0, 1, 2, 3].map((power) => step * 10 ** power));
  return { tick0: 0, dtick: Math.min(...steps.filter((step) => n / step <= 8)) };
}

const has = (iterations, name) => iterations.some((one) => Number.isFinite(one[name]));

/** The components with the largest shares, in order of their numbers. */
function largest(alpha) {
  const order = alpha.map((share, j) => [share, j]).sort((a, b) => b[0] - a[0]);
  return order
    .slice(0, MAX_SHOWN)
    .map(([, j]) => j)
    .sort((a, b) => a - b);
}

function row({ iteration, changed, estimator_loss, score, seconds }) {
  const shown = [
    number(iteration),
    percent(changed),
    number(estimator_loss),
    number(score),
    duration(seconds),
  ];
  return shown.map((value) => ({ number: value }));
}
