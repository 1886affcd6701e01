// The lines of a shell and of Python that do what a page has just done.

import { isSignedIn } from "./api.js";
import { announce, h } from "./dom.js";

/** Where the service is, as seen from here. */
const service = () => new URL(".", location.href).href.replace(/\/$/, "");

/** The lines as a block of code with a button that copies them. */
export function snippet(title, text) {
  const button = h(
    "button",
    { class: "quiet copy", type: "button", "aria-label": `Copy the lines for ${title}` },
    "Copy",
  );
  button.addEventListener("click", async () => {
    const isDone = await copied(text);
    button.textContent = isDone ? "Copied" : "Select it to copy";
    announce(button.textContent);
  });
  return h(
    "figure",
    { class: "snippet" },
    h("figcaption", {}, title, button),
    h("pre", { tabindex: 0, role: "region", "aria-label": title }, h("code", {}, text)),
  );
}

/**
 * A call by curl.
 * @param {string} path
 * @param {object} query
 * @param {string[]} options of curl, quoted as the shell wants them
 */
export function curl(path, query, options) {
  const key = isSignedIn() ? [`-H "Authorization: Bearer $KVAE_KEY"`] : [];
  const given = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().map((one) => [name, one]),
  );
  const parameters = new URLSearchParams(given.filter(([, one]) => one !== null && one !== ""));
  return ["curl", ...key, ...options, quoted(`${service()}/${path}?${parameters}`)].join(" \\\n  ");
}

/**
 * A call by the Python client.
 * @param {string} method and what its answer is called
 * @param {string[]} positional arguments, as Python
 * @param {object} named arguments, by their values; those that are null are left out
 * @param {...string} modules that the arguments need
 */
export function python(method, positional, named, ...modules) {
  const [imports, key] = isSignedIn()
    ? [[...modules, "os"], ', key=os.environ["KVAE_KEY"]']
    : [modules, ""];
  const given = Object.entries(named).filter(([, value]) => value !== null);
  const passed = [...positional, ...given.map(([name, value]) => `${name}=${literal(value)}`)].join(
    ", ",
  );
  return [
    ...imports.map((name) => `import ${name}`),
    "from client import KVAE",
    "",
    `kvae = KVAE("${service()}"${key})`,
    `${method}(${passed})`,
  ].join("\n");
}

/** A text as one word of a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A value of JSON as Python writes it. */
export function literal(value) {
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, one]) => `${JSON.stringify(name)}: ${literal(one)}`)
    .join(", ")}}`;
}

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text); // only where the page is served securely
    return true;
  } catch {
    return false;
  }
}
