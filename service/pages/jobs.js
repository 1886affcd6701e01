// Jobs: trainings and the assigning of data sets, newest first.

import { h } from "./dom.js";
import { duration, percent, when } from "./format.js";
import { list } from "./lists.js";
import { badge, empty, isLive } from "./parts.js";

const HEAD = ["Name", "Kind", "Status", "Progress", "Time left", "Started"];

export default async function jobs({ signal }) {
  const upload = h("a", { class: "button", href: "#/datasets" }, "Upload data and train");
  const nothing = empty("No jobs yet.", upload);
  return { title: "Jobs", content: await list("jobs", "Jobs", HEAD, row, nothing, signal) };
}

const row = (job) => [
  h("a", { href: `#/jobs/${job.id}` }, job.name),
  job.type === "train" ? `train, K = ${job.config.components}` : "assign",
  badge(job.status),
  { number: percent(job.progress.fraction) },
  { number: isLive(job) ? duration(job.progress.eta_seconds) : "" },
  when(job.created_at),
];
