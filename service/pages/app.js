// The shell: finds the page that the address names, shows it, keeps the focus and signs in.
//
// A page is a module whose default export is async, takes { args, query, signal } and gives
// { title, content }. args are the variable parts of its address; the signal is aborted when the
// page is left. What it throws is shown in its place. It is loaded when it is first seen.

import { isSignedIn, signIn } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { empty, loading, problemBox } from "./parts.js";
import { signInForm } from "./signin.js";

/** Addresses, with : for their variable parts, and the modules of their pages. */
const PAGES = {
  "": "./datasets.js",
  datasets: "./datasets.js",
  "datasets/:": "./dataset.js",
  jobs: "./jobs.js",
  "jobs/:": "./job.js",
  models: "./models.js",
  "models/:": "./model.js",
  try: "./try.js",
  "try/:": "./try.js",
  compare: "./compare.js",
};

const main = document.getElementById("main");
const signOut = document.getElementById("sign-out");
let current = new AbortController();

window.addEventListener("hashchange", () => show());
document
  .querySelector(".skip")
  .addEventListener("click", (event) => (event.preventDefault(), main.focus()));
window.addEventListener("unauthorized", () => showSignIn());
signOut.addEventListener("click", () => (signIn(null), show()));
show({ isFirst: true });

async function show({ isFirst = false } = {}) {
  current.abort();
  current = new AbortController();
  const { signal } = current;
  const { name, args, query } = parse(location.hash);
  markPlace(name);
  signOut.hidden = !isSignedIn();
  const patience = setTimeout(() => signal.aborted || fill(main, loading()), isFirst ? 0 : 200);
  const page = await load(name, { args, query, signal });
  clearTimeout(patience);
  if (signal.aborted) return;
  document.title = `${page.title} · kVAE`;
  fill(main, h("h1", { tabindex: -1 }, page.heading ?? page.title), page.content);
  if (!isFirst) enter(page.title);
}

async function load(name, given) {
  if (!Object.hasOwn(PAGES, name)) return missing();
  try {
    const { default: page } = await import(PAGES[name]);
    return await page(given);
  } catch (error) {
    if (error.status === undefined && !given.signal.aborted) console.error(error);
    return { title: "Not shown", content: problemBox(error) };
  }
}

/** "#/jobs/job_1?a=b" is the page "jobs/:" with args ["job_1"] and the query a=b. */
function parse(hash) {
  const [path, query] = hash.replace(/^#\/?/, "").split("?");
  const [first, ...args] = path.split("/").map(decodeURIComponent);
  return {
    name: [first, ...args.map(() => ":")].join("/"),
    args,
    query: new URLSearchParams(query),
  };
}

function markPlace(name) {
  for (const link of document.querySelectorAll("nav a")) {
    const isHere = link.getAttribute("href") === `#/${name.split("/")[0] || "datasets"}`;
    if (isHere) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

function enter(title) {
  window.scrollTo(0, 0);
  main.querySelector("h1").focus({ preventScroll: true });
  announce(title);
}

function missing() {
  const link = h("a", { class: "button", href: "#/" }, "Go to the data sets");
  return { title: "No such page", content: empty("Nothing is shown at this address.", link) };
}

function showSignIn() {
  current.abort();
  document.title = "Sign in · kVAE";
  signOut.hidden = true;
  const form = signInForm(isSignedIn(), show);
  signIn(null);
  fill(main, h("h1", { tabindex: -1 }, "Sign in"), form);
  form.querySelector("input").focus();
}
