// Jobs: trainings and the assigning of data sets, newest first; those that run move.

import { h } from "./dom.js";
import { jobList } from "./joblist.js";
import { empty } from "./parts.js";

export default async function jobs({ signal }) {
  const upload = h("a", { class: "button", href: "#/datasets" }, "Upload data and train");
  const content = await jobList({}, empty("No jobs yet.", upload), signal);
  return { title: "Jobs", content };
}
