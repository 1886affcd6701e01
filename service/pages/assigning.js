// Points that are pasted or dropped, given to a model's components.

import { call, download } from "./api.js";
import { announce, fill, h } from "./dom.js";
import { dropZone } from "./drop.js";
import { count, number, percent } from "./format.js";
import { chip, field, loading, problemBox, section, table } from "./parts.js";
import { areImages } from "./points.js";
import { curl, literal, python, quoted, snippet } from "./snippets.js";

const SHOWN = 100; // rows of an answer
const TYPES = {
  csv: "text/csv",
  json: "application/json",
  npy: "application/x-npy",
  parquet: "application/vnd.apache.parquet",
  arrow: "application/vnd.apache.arrow.stream",
  zip: "application/zip",
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
};
const INLINE = 1000; // characters of points that are written out in a line of code

/** The form that assigns points, and what it has found. */
export function assigning(model) {
  const pasted = h("textarea", {
    id: "points",
    rows: 5,
    spellcheck: "false",
    placeholder: exampleOf(model),
  });
  const found = h("div", { "aria-busy": "false" });
  const include = ["confidence", ...(model.config.generator === "vae" ? ["outlier_score"] : [])];

  const run = async (sources) => {
    fill(found, loading("Assigning"));
    found.setAttribute("aria-busy", "true");
    try {
      const answers = await Promise.all(sources.map((source) => assign(model, include, source)));
      fill(found, results(answers, sources), lines(model, include, sources[0]));
      announce(
        `${count(answers.flatMap(({ components }) => components).length, "point")} assigned`,
      );
    } catch (problem) {
      fill(found, problemBox(problem));
    }
    found.setAttribute("aria-busy", "false");
    const save = () =>
      download("assign", "assigned.csv", {
        ...request(model, include, sources[0]),
        accept: "text/csv",
      });
    if (sources.length === 1 && !found.querySelector(".problem"))
      found.append(h("button", { class: "quiet", onclick: save }, "Download as CSV"));
  };
  const submit = (event) => (
    event.preventDefault(),
    run([{ name: "points.csv", text: pasted.value.trim() }])
  );
  const onFiles = (files) => run(files.map((file) => ({ name: file.name, file })));
  const isImages = areImages(model);
  const zone = dropZone(
    {
      id: "assign-file",
      multiple: isImages,
      text: isImages
        ? "Drop images here, or choose some"
        : "Drop a file of points here, or choose one",
      hint: isImages ? "PNG or JPEG, a ZIP of them, or NPY" : "CSV, Parquet, Arrow or NPY",
    },
    onFiles,
  );
  const hint = `CSV with or without a header line, or JSON: a list of rows, or of {"column": value}.`;
  const paste = h(
    "form",
    { onsubmit: submit },
    field("Points", pasted, hint),
    h("button", {}, "Assign"),
  );
  pasted.required = true;
  return section("Assign", h("div", { class: "columns" }, !isImages && paste, zone), found);
}

const isJson = ({ name, text }) =>
  text === undefined ? name.endsWith(".json") : /^[[{]/.test(text);

/** What is sent. A JSON list is what `points` holds. */
function request(model, include, source) {
  const query = { model: model.id, include };
  const { name, file, text } = source;
  if (file)
    return {
      method: "POST",
      query,
      body: file,
      type: TYPES[name.split(".").pop().toLowerCase()] ?? "application/octet-stream",
    };
  return {
    method: "POST",
    query,
    body: isJson(source) && text.startsWith("[") ? `{"points": ${text}}` : text,
    type: isJson(source) ? TYPES.json : TYPES.csv,
  };
}

async function assign(model, include, source) {
  return (
    await call("assign", { ...request(model, include, source), accept: "application/json" })
  ).json();
}

function results(answers, sources) {
  const all = answers.flatMap(({ components, confidence, outlier_score }, of) =>
    components.map((component, row) => ({
      of,
      row,
      component,
      confidence: confidence[row],
      score: outlier_score?.[row],
    })),
  );
  const held = new Map();
  for (const { component } of all) held.set(component, (held.get(component) ?? 0) + 1);
  const sizes = [...held]
    .sort(([a], [b]) => a - b)
    .map(([j, n]) => h("span", {}, chip(j), ` ${number(n)} `));
  const nameOf = ({ of, row }) => (sources.length > 1 ? sources[of].name : String(row));
  const rows = all
    .slice(0, SHOWN)
    .map((one) => [
      nameOf(one),
      chip(one.component),
      { number: percent(one.confidence) },
      ...(one.score === undefined ? [] : [{ number: one.score.toFixed(3) }]),
    ]);
  const head = [
    sources.length > 1 ? "File" : "Row",
    "Component",
    "Confidence",
    ...(all[0].score === undefined ? [] : ["Outlier score"]),
  ];
  return [
    h("p", { class: "legend" }, `${count(all.length, "point")}: `, sizes),
    table("Assigned points", head, rows),
    all.length > SHOWN && h("p", { class: "fine" }, `The first ${SHOWN} of them.`),
  ];
}

function lines(model, include, source) {
  const { body, type } = request(model, include, source);
  const query = { model: model.id, include };
  const isInline = source.text !== undefined && body.length <= INLINE;
  const name = isJson(source) && source.text !== undefined ? "points.json" : source.name;
  const sent = isInline ? `--data-raw ${quoted(body)}` : `--data-binary ${quoted(`@${name}`)}`;
  const accept = isJson(source) ? TYPES.json : TYPES.csv;
  return h(
    "div",
    { class: "columns" },
    snippet(
      "Assign with curl",
      curl("assign", query, [
        `-H ${quoted(`Content-Type: ${type}`)}`,
        `-H 'Accept: ${accept}'`,
        sent,
      ]),
    ),
    snippet("Assign with Python", pythonLines(query, name, isInline && body, isJson(source))),
  );
}

/** `inline` is what was pasted, unless that is too long to be written out. */
function pythonLines(query, name, inline, isJson) {
  const target = '"assigned.csv"';
  if (!inline) return python("kvae.assign_file", [literal(name), target], query);
  if (isJson) return python("found = kvae.assign", [literal(JSON.parse(inline).points)], query);
  return python(
    "kvae.assign_file",
    [`io.BytesIO(${literal(inline)}.encode())`, target],
    query,
    "io",
  );
}

function exampleOf(model) {
  const names = model.columns.map(({ name }) => name);
  const values = model.columns.map(
    ({ mean, categories }) => categories?.[0] ?? mean?.toPrecision(3) ?? "0",
  );
  return `${names.join(",")}\n${values.join(",")}`.slice(0, INLINE);
}
