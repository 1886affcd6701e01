// A list of jobs that keeps up with them.

import { get } from "./api.js";
import { fill, h, sleep } from "./dom.js";
import { duration, percent, when } from "./format.js";
import { list } from "./lists.js";
import { badge, isLive } from "./parts.js";

const HEAD = ["Name", "Status", "Progress", "Time left", "Kind", "Created"];
const POLL_MILLISECONDS = 2000;

/**
 * @param {object} query which jobs are wanted
 * @param {HTMLElement|null} whenEmpty shown where there are none
 * @param {AbortSignal} signal aborted when the page is left
 */
export async function jobList(query, whenEmpty, signal) {
  const live = new Map(); // what shows a job that can still change, by its id
  const row = (job) => {
    const cells = { status: h("span"), progress: h("span"), left: h("span") };
    if (isLive(job)) live.set(job.id, cells);
    update(cells, job);
    return [
      h("a", { href: `#/jobs/${job.id}` }, job.name),
      cells.status,
      { number: cells.progress },
      { number: cells.left },
      job.type === "train" ? `train, K = ${job.config.components}` : "assign",
      when(job.created_at),
    ];
  };
  const shown = await list("jobs", "Jobs", HEAD, row, whenEmpty, signal, query);
  follow(live, signal).catch(() => {}); // what is shown stays; the next visit tells more
  return shown;
}

async function follow(live, signal) {
  for (;;) {
    await sleep(POLL_MILLISECONDS, signal);
    for (const [id, cells] of live) {
      const job = await get(`jobs/${id}`, {}, signal);
      update(cells, job);
      if (!isLive(job)) live.delete(id);
    }
  }
}

function update({ status, progress, left }, job) {
  fill(status, badge(job.status));
  fill(progress, percent(job.progress.fraction));
  fill(left, isLive(job) && duration(job.progress.eta_seconds));
}
