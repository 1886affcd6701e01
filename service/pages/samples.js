// What each component of a training makes, after each iteration.

import { file } from "./api.js";
import { fill, h } from "./dom.js";
import { chip, section } from "./parts.js";

const MAX_LABELS = 64; // rows of images with a number beside them

/**
 * @param {object} job
 * @param {object} dataset what it trains on; null: it is no longer there
 * @param {AbortSignal} signal aborted when the page is left
 * @returns {{node: HTMLElement, reach: (data: object) => void}} `reach` takes the metrics of an
 *   iteration that is done; the newest is shown unless an earlier one was chosen
 */
export function samplesOf(job, dataset, signal) {
  const image = h("img", { class: "pixels" });
  const labels = h("div", { class: "labels" });
  const slider = h("input", { id: "iteration", type: "range", min: 1, max: 1, value: 1 });
  const shown = h("output", { for: "iteration" });
  const node = section(
    "Samples",
    h("div", { class: "samples" }, labels, image),
    h(
      "div",
      { class: "field" },
      h("label", { for: "iteration" }, "After iteration ", shown),
      slider,
    ),
    h("p", { class: "fine" }, captionOf(dataset)),
  );
  node.hidden = true;
  let [url, wanted, isBusy] = [null, 0, false];

  const load = async (iteration) => {
    const made = await file(`jobs/${job.id}/preview`, { query: { iteration }, signal });
    if (url) URL.revokeObjectURL(url);
    [url, image.src] = [made, made];
    image.alt = `What each component makes after iteration ${iteration}`;
    shown.textContent = `${iteration}${iteration === Number(slider.max) ? ", the latest" : ""}`;
    node.hidden = false;
  };
  /** One at a time: those that were passed by meanwhile are not asked for. */
  const show = async (iteration) => {
    wanted = iteration;
    if (isBusy) return;
    isBusy = true;
    for (let at = 0; at !== wanted && !signal.aborted;) {
      at = wanted;
      await load(at).catch(({ message }) => (shown.textContent = `${at}: ${message}`));
    }
    isBusy = false;
  };
  slider.addEventListener("input", () => show(slider.valueAsNumber));
  signal.addEventListener("abort", () => url && URL.revokeObjectURL(url), { once: true });

  const reach = ({ iteration, alpha }) => {
    const follows = slider.value === slider.max;
    slider.max = iteration;
    if (dataset?.shape.length > 1 && alpha.length <= MAX_LABELS)
      fill(
        labels,
        alpha.map((_, j) => chip(j)),
      );
    if (!follows) return;
    slider.value = iteration;
    show(iteration);
  };
  return { node, reach };
}

function captionOf(dataset) {
  if (dataset === null) return "Each component has its own colour or row.";
  if (dataset.shape.length > 1) return "A row for each component.";
  const plane = dataset.shape[0] > 2 && ", in the plane of the data's two principal components";
  return `In the colour of its component each, over the data in grey${plane || ""}.`;
}
