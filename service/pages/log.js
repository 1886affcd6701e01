// A job's log, oldest line first.

import { h } from "./dom.js";
import { when } from "./format.js";

/** @returns {{node: HTMLElement, add: (event: object) => void}} */
export function eventLog() {
  const lines = h("ol", { class: "log", tabindex: 0, "aria-label": "Log" });
  const node = h("details", { class: "card" }, h("summary", {}, "Log"), lines);
  const add = ({ created_at, level, message }) => {
    const isAtEnd = lines.scrollTop + lines.clientHeight >= lines.scrollHeight - 4;
    lines.append(
      h(
        "li",
        { class: level },
        h("time", { datetime: created_at }, when(created_at)),
        " ",
        message,
      ),
    );
    if (isAtEnd) lines.scrollTop = lines.scrollHeight;
  };
  return { node, add };
}
