// The form that asks for a key, where the service has keys.

import { get, signIn } from "./api.js";
import { fill, h } from "./dom.js";
import { field, problemBox } from "./parts.js";

const HINT =
  "It begins with kvae_ and is kept until you close this tab. Whoever runs the service makes " +
  "keys with “kvae keys create”.";
const REFUSED = { title: "Unauthorized", message: "The service does not know this key." };

/**
 * @param {boolean} isRefused whether a key was tried before
 * @param {() => void} onDone called once the service takes the key
 */
export function signInForm(isRefused, onDone) {
  const key = h("input", {
    id: "key",
    type: "password",
    required: true,
    autocomplete: "current-password",
  });
  const told = h("div", {}, isRefused && problemBox(REFUSED));
  const submit = async (event) => {
    event.preventDefault();
    signIn(key.value.trim());
    try {
      await get("jobs", { limit: 1 });
      onDone();
    } catch (problem) {
      if (problem.status !== 401) fill(told, problemBox(problem)); // else this form is shown anew
    }
  };
  return h(
    "form",
    { class: "card narrow", onsubmit: submit },
    field("Key", key, HINT),
    told,
    h("button", {}, "Sign in"),
  );
}
