// Questions that are asked in front of a page.

import { call, remove } from "./api.js";
import { fill, h } from "./dom.js";
import { field, problemBox } from "./parts.js";

/** Show the page that is there anew, as after a change of what it shows. */
export const reload = () => window.dispatchEvent(new HashChangeEvent("hashchange"));

/**
 * Ask whether something is to be deleted for good, and delete it.
 * @param {string} path what to delete
 * @param {string} name how it is called
 * @param {string} meaning what goes and what stays
 * @param {() => void} then once it is gone
 */
export function askToDelete(path, name, meaning, then) {
  ask(`Delete ${name}?`, (close, attempt) => [
    h("p", {}, meaning),
    h(
      "div",
      { class: "row" },
      h("button", { class: "danger", onclick: () => attempt(() => remove(path), then) }, "Delete"),
      h("button", { class: "quiet", onclick: close }, "Keep"),
    ),
  ]);
}

/** A button that asks the same, and goes to the address `next` afterwards. */
export function deletion(path, name, meaning, next) {
  const then = () => (location.hash = next);
  const onclick = () => askToDelete(path, name, meaning, then);
  return h("button", { class: "danger", onclick }, "Delete");
}

/** Ask for an alias that is to stand for a model. */
export function askForAlias(model, then) {
  ask(`An alias for ${model.name}`, (close, attempt) => {
    const name = h("input", {
      id: "alias",
      required: true,
      maxlength: 100,
      pattern: "[a-z0-9][a-z0-9._\\-]*",
      autocapitalize: "none",
    });
    const put = () =>
      call(`aliases/${encodeURIComponent(name.value)}`, {
        method: "PUT",
        json: { model: model.id },
      });
    const submit = (event) => (event.preventDefault(), attempt(put, then));
    const hint =
      "Lower-case letters, digits and - _ . One that stands for another model moves to this one. " +
      "“default” is used where no model is named; put here it stays, dropped it follows the newest.";
    return h(
      "form",
      { onsubmit: submit },
      field("Name", name, hint),
      h(
        "div",
        { class: "row" },
        h("button", {}, "Point it at this model"),
        h("button", { class: "quiet", type: "button", onclick: close }, "Cancel"),
      ),
    );
  });
}

/** `build` gets what closes the dialog, and what does something and closes it unless it fails. */
function ask(title, build) {
  const told = h("div");
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", onclose: () => dialog.remove() });
  const close = () => dialog.close();
  const attempt = async (act, then) => {
    try {
      await act();
      close();
      then();
    } catch (problem) {
      fill(told, problemBox(problem));
    }
  };
  fill(dialog, h("h2", { id: "dialog-title" }, title), told, build(close, attempt));
  document.getElementById("main").append(dialog);
  dialog.showModal();
}
