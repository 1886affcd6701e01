// A file on its way to the service: dropped or chosen, sent, refused with the reason or taken.

import { upload } from "./api.js";
import { uploadChoices } from "./choices.js";
import { announce, fill, h } from "./dom.js";
import { dropZone } from "./drop.js";
import { percent } from "./format.js";
import { problemBox, progressBar } from "./parts.js";

const FORMATS = "CSV, Parquet, Arrow, NPY, NPZ, IDX, or a ZIP of PNG or JPEG images";

/**
 * Where files are dropped, with the choices that a file may need.
 * @param {AbortSignal} signal aborted when the page is left
 * @param {(dataset: object) => void} onStored
 */
export function uploadCard(signal, onStored) {
  let file = null;
  const told = h("div");
  const choices = uploadChoices(() => send());
  const how = { id: "file", text: "Drop a file of points here, or choose one", hint: FORMATS };
  const zone = dropZone(how, ([given]) => {
    file = given;
    choices.forget();
    send();
  });
  const send = async () => {
    const query = { name: file.name, ...choices.chosen() };
    try {
      const dataset = await upload("datasets", query, file, showProgress(told, file), signal);
      announce(`${file.name} is stored`);
      onStored(dataset);
    } catch (problem) {
      signal.throwIfAborted();
      fill(told, problemBox(problem));
      await choices.offer(problem, file);
    }
  };
  return h("section", { class: "card stack" }, zone, told, choices.node);
}

/** Show that a file is sent; returns what takes the share that is. */
function showProgress(place, { name }) {
  const bar = progressBar(0, `Upload of ${name}`);
  const state = h("p", { class: "fine" }, `Sending ${name}`);
  fill(place, bar, state);
  return (share) => {
    bar.value = share;
    state.textContent = share < 1 ? `Sending ${name}: ${percent(share)}` : `Checking ${name}…`;
  };
}
