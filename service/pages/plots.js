// Pictures by plotly, whose script comes from its installed package when the first one is drawn.

import { h } from "./dom.js";

const SCRIPT = "pages/plotly.min.js";
// plotly writes its styles into the page unless these are there; style.css has what is needed
const STYLES = [
  "plotly.js-style-global",
  "9f215cf04c5486422605d13261cb87401f4e7763b6296af81e98efbc0130da53",
];
const CONFIG = { displayModeBar: false, responsive: true };
const DARK = matchMedia("(prefers-color-scheme: dark)");
let script;

/**
 * A picture with its caption, to be drawn and drawn again.
 * @param {string} caption
 * @param {AbortSignal} signal aborted when the page is left
 * @returns {{node: HTMLElement, draw: Function}} `draw` takes traces and layout as plotly does, and
 *   what to tell those who can't see it
 */
export function picture(caption, signal) {
  const place = h("div", { class: "plot", role: "img", "aria-label": caption });
  const node = h("figure", {}, h("figcaption", {}, caption), place);
  let last;
  const draw = async (traces, layout, said) => {
    last = [traces, layout, said];
    const plotly = await loaded();
    if (signal.aborted || last[0] !== traces) return;
    place.setAttribute("aria-label", `${caption}: ${said}`);
    await plotly.react(place, traces, themed(place, layout), CONFIG);
  };
  DARK.addEventListener("change", () => last && draw(...last), { signal });
  signal.addEventListener("abort", () => window.Plotly?.purge(place), { once: true });
  return { node, draw };
}

function loaded() {
  script ??= new Promise((resolve, reject) => {
    document.head.append(...STYLES.map((id) => h("meta", { id, class: "no-inline-styles" })));
    const element = h("script", {
      src: SCRIPT,
      onload: () => resolve(window.Plotly),
      onerror: reject,
    });
    document.head.append(element);
  });
  return script;
}

/** A layout in the page's own colours and type. */
function themed(place, { xaxis, yaxis, ...layout }) {
  const style = getComputedStyle(place);
  const colour = (name) => resolved(style.getPropertyValue(name));
  const axis = {
    gridcolor: colour("--line"),
    zerolinecolor: colour("--line"),
    linecolor: colour("--edge"),
    automargin: true,
    fixedrange: true,
  };
  return {
    height: 260,
    margin: { l: 8, r: 8, t: 8, b: 8 },
    paper_bgcolor: "rgba(0, 0, 0, 0)",
    plot_bgcolor: "rgba(0, 0, 0, 0)",
    font: { family: style.fontFamily, size: 13, color: colour("--faint") },
    hoverlabel: { font: { family: style.fontFamily } },
    showlegend: false,
    dragmode: false, // or a finger could not scroll the page
    hovermode: "x unified",
    xaxis: { ...axis, ...xaxis },
    yaxis: { ...axis, ...yaxis },
    ...layout,
  };
}

/** The colour that a custom property comes to, as plotly knows no light-dark(). */
function resolved(value) {
  const probe = h("span", { style: { color: value } });
  document.body.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}
