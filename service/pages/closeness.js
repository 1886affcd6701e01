// Which components of a model are close to each other.

import { h } from "./dom.js";
import { number } from "./format.js";
import { matrix } from "./matrix.js";
import { chip, section, table } from "./parts.js";

const MAX_MATRIX = 30; // components
const MAX_PAIRS = 20;
const CAPTION =
  "Mean posterior of the component in the column, over the points of that in the row, in %";
const VISIBLE = 0.0005;

/** @param {object[]} components all of a model's */
export function closeness(components) {
  if (components.length < 2 || components.some(({ posterior }) => posterior.length === 0))
    return null;
  const values = components.map(({ posterior }) => posterior);
  const shown = values.length <= MAX_MATRIX ? confusion(values) : closestPairs(values);
  return section(
    "Close components",
    h(
      "p",
      { class: "fine" },
      `${CAPTION}: off the diagonal, a high value says that the two are close.`,
    ),
    shown,
  );
}

const confusion = (values) => matrix(CAPTION, values, { shade: (value) => value, text: inPercent });

/** Short, so that many fit beside each other. */
function inPercent(share) {
  if (share < VISIBLE) return "";
  return share < 0.01 ? (100 * share).toFixed(1) : (100 * share).toFixed(0);
}

function closestPairs(values) {
  const pairs = values.flatMap((row, j) =>
    row.map((share, l) => [share, j, l]).filter(([, , l]) => l !== j),
  );
  const rows = pairs.sort(([a], [b]) => b - a).slice(0, MAX_PAIRS);
  const said = `The ${number(rows.length)} closest pairs`;
  return table(
    said,
    ["Points of", "Posterior of", "Mean, %"],
    rows.map(([share, j, l]) => [chip(j), chip(l), { number: inPercent(share) }]),
  );
}
