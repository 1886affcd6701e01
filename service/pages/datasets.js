// Data sets: a place to drop a file, and those that are there.

import { h } from "./dom.js";
import { bytes, number, shape, when } from "./format.js";
import { list } from "./lists.js";
import { empty } from "./parts.js";
import { uploadCard } from "./upload.js";

const HEAD = ["Name", "Points", "Shape", "Size", "Uploaded"];

export default async function datasets({ signal }) {
  const nothing = empty("No data sets yet: drop a file above, and here is what you can train on.");
  const show = (dataset) => (location.hash = `#/datasets/${dataset.id}`);
  return {
    title: "Data sets",
    content: [
      uploadCard(signal, show),
      await list("datasets", "Data sets", HEAD, row, nothing, signal),
    ],
  };
}

const row = (dataset) => [
  h("a", { href: `#/datasets/${dataset.id}` }, dataset.name),
  { number: number(dataset.rows) },
  shape(dataset.shape),
  { number: bytes(dataset.bytes) },
  when(dataset.created_at),
];
