// Where files are dropped or chosen.

import { h } from "./dom.js";

/**
 * @param {{id: string, text: string, hint: string, multiple?: boolean, accept?: string}} how
 * @param {(files: File[]) => void} onFiles
 */
export function dropZone({ id, text, hint, multiple = false, accept }, onFiles) {
  const take = (files) => files.length && onFiles(multiple ? [...files] : [files[0]]);
  const input = h("input", {
    id,
    type: "file",
    class: "hidden",
    multiple,
    accept,
    onchange: () => (take([...input.files]), (input.value = "")),
  });
  const zone = h(
    "label",
    { class: "drop", for: id },
    h("strong", {}, text),
    h("span", { class: "fine" }, hint),
  );
  const hover = (isOver) => (event) => (
    event.preventDefault(),
    zone.classList.toggle("over", isOver)
  );
  zone.addEventListener("dragover", hover(true));
  zone.addEventListener("dragleave", hover(false));
  zone.addEventListener("drop", (event) => (hover(false)(event), take(event.dataTransfer.files)));
  return h("div", { class: "dropping" }, input, zone);
}
