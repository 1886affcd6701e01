// Calls of the service's public API, with the key that was signed in with. Paths are relative to
// the page, such as "jobs" or `jobs/${id}`.

const KEY = "kvae-key";

/** What the service answers to a call that went wrong (RFC 9457). */
export class Problem extends Error {
  /** @param {object} told the answer's body */
  constructor(told) {
    super(told.detail);
    Object.assign(this, { errors: [], ...told });
  }
}

/** Keep the key for as long as this tab lives; none: forget it. */
export function signIn(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

export const isSignedIn = () => sessionStorage.getItem(KEY) !== null;

/**
 * Any call. Throws Problem, also when the service can't be reached.
 * @param {string} path
 * @param {{method?: string, query?: object, json?: any, body?: any, type?: string, accept?: string,
 *          headers?: object, signal?: AbortSignal}} [options]
 * @returns {Promise<Response>}
 */
export async function call(
  path,
  { method = "GET", query, json, body, type, accept, headers, signal } = {},
) {
  const sent = { ...authorization(), ...headers };
  if (accept) sent.Accept = accept;
  if (json !== undefined) [body, type] = [JSON.stringify(json), "application/json"];
  if (type) sent["Content-Type"] = type;
  let response;
  try {
    response = await fetch(address(path, query), { method, headers: sent, body, signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw unreachable();
  }
  if (!response.ok) throw problemOf(response.status, await response.text());
  return response;
}

/** The JSON that a path answers. */
export async function get(path, query, signal) {
  return (await call(path, { query, signal })).json();
}

/** The JSON that a POST is answered with. */
export async function post(path, json, options = {}) {
  return (await call(path, { method: "POST", json, ...options })).json();
}

/** Delete what is at a path. */
export const remove = (path) => call(path, { method: "DELETE" });

/**
 * A file as an address for an image or a link, which can't send a key; to be given back by
 * URL.revokeObjectURL.
 */
export async function file(path, options) {
  return URL.createObjectURL(await (await call(path, options)).blob());
}

/** Save what a path answers as a file of this name. */
export async function download(path, name, options) {
  const link = document.createElement("a");
  [link.href, link.download] = [await file(path, options), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A new value for the header Idempotency-Key: the same request is sent twice without harm. */
export function idempotencyKey() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(random, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Upload a file as the raw body; `onProgress` gets the share that is sent. Throws Problem.
 * @returns {Promise<object>} the JSON answer
 */
export function upload(path, query, body, onProgress, signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch tells nothing of what it has sent
    request.open("POST", address(path, query));
    for (const [name, value] of Object.entries(authorization()))
      request.setRequestHeader(name, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 1);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problemOf(request.status, request.responseText));
    };
    request.onerror = () => reject(unreachable());
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(body);
  });
}

function address(path, query = {}) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of [value].flat()) {
      if (one !== null && one !== undefined && one !== "") parameters.append(name, one);
    }
  }
  return parameters.size ? `${path}?${parameters}` : path;
}

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

function problemOf(status, text) {
  if (status === 401) window.dispatchEvent(new Event("unauthorized"));
  try {
    return new Problem(JSON.parse(text));
  } catch {
    const detail = `the service answered with the status ${status}`;
    return new Problem({ title: "Not answered", status, detail, code: "no_problem" });
  }
}

function unreachable() {
  const detail = "the service can't be reached: it may be starting, or the network is away";
  return new Problem({ title: "Not reachable", status: 0, detail, code: "unreachable" });
}
