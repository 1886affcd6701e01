// A button that deletes something for good, once that is asked again.

import { remove } from "./api.js";
import { fill, h } from "./dom.js";
import { problemBox } from "./parts.js";

/**
 * @param {string} path what to delete
 * @param {string} name how it is called
 * @param {string} meaning what goes and what stays
 * @param {string} next the address to go to afterwards
 */
export function deletion(path, name, meaning, next) {
  const told = h("div");
  const ask = h("dialog", { "aria-labelledby": "delete-title" });
  const erase = async () => {
    try {
      await remove(path);
      location.hash = next;
    } catch (problem) {
      fill(told, problemBox(problem));
    }
    ask.close();
  };
  ask.append(
    h("h2", { id: "delete-title" }, `Delete ${name}?`),
    h("p", {}, meaning),
    h(
      "div",
      { class: "row" },
      h("button", { class: "danger", onclick: erase }, "Delete"),
      h("button", { class: "quiet", onclick: () => ask.close() }, "Keep"),
    ),
  );
  const button = h("button", { class: "danger", onclick: () => ask.showModal() }, "Delete");
  return h("div", {}, told, button, ask);
}
