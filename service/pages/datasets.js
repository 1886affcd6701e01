// Data sets: all of them, newest first.

import { h } from "./dom.js";
import { bytes, number, shape, when } from "./format.js";
import { list } from "./lists.js";
import { empty } from "./parts.js";

export default async function datasets({ signal }) {
  const nothing = empty("No data sets yet.");
  return {
    title: "Data sets",
    content: await list("datasets", "Data sets", ["Name", "Points", "Shape", "Size", "Uploaded"], row, nothing, signal),
  };
}

const row = (dataset) => [
  h("a", { href: `#/datasets/${dataset.id}` }, dataset.name),
  { number: number(dataset.rows) },
  shape(dataset.shape),
  { number: bytes(dataset.bytes) },
  when(dataset.created_at),
];
