// One job: live while it runs, then how it ended.

import { download, get, post } from "./api.js";
import { announce, fill, h, sleep } from "./dom.js";
import { events } from "./events.js";
import { duration, percent, when } from "./format.js";
import { iterationHistory } from "./history.js";
import { eventLog } from "./log.js";
import { badge, facts, isLive, problemBox, progressBar } from "./parts.js";
import { samplesOf } from "./samples.js";

const POLL_MILLISECONDS = 1000;

export default async function page({ args: [id], signal }) {
  const job = await get(`jobs/${id}`, {}, signal);
  const dataset = await get(`datasets/${job.dataset}`, {}, signal).catch(() => null);
  const status = statusOf(job, () => follow());
  const history = iterationHistory(signal);
  const samples = samplesOf(job, dataset, signal);
  const log = eventLog();
  let last = null;

  const refresh = async () => status.update(await get(`jobs/${id}`, {}, signal));
  const listen = async () => {
    for await (const event of events(id, last, signal, status.cut)) {
      last = event.id;
      log.add(event);
      if (event.type === "metrics") {
        history.add(event.data);
        samples.reach(event.data);
      }
      if (event.type === "status") await refresh();
    }
  };
  const poll = async () => {
    while (isLive(await refresh())) await sleep(POLL_MILLISECONDS, signal);
  };
  const follow = () => Promise.all([listen(), poll()]).catch((error) => signal.aborted || status.fail(error));
  follow();
  return {
    title: job.name,
    content: [
      about(job, dataset),
      status.node,
      h("div", { class: "columns" }, samples.node, history.bands),
      history.others,
      log.node,
    ],
  };
}

function about(job, dataset) {
  const source = dataset ? h("a", { href: `#/datasets/${dataset.id}` }, dataset.name) : "deleted";
  return facts([
    ["Data set", source],
    ...(job.config ? [["Components", String(job.config.components)], ["Seed", String(job.config.seed)]] : []),
    ...(job.assigned_by ? [["By the model", h("a", { href: `#/models/${job.assigned_by}` }, job.assigned_by)]] : []),
    ["Created", when(job.created_at)],
    ["Id", h("code", {}, job.id)],
  ]);
}

/** The card that tells how a job is and lets it be cancelled, resumed and made use of. */
function statusOf(job, onResumed) {
  const bar = progressBar(0, "Progress");
  const line = h("p", { class: "fine" });
  const word = h("div", { class: "row" });
  const ending = h("div");
  const told = h("div");
  const cutNote = h("p", { class: "warning", hidden: true }, "The connection was lost; trying again…");
  const node = h("section", { class: "card", "aria-label": "Status" }, word, bar, line, cutNote, ending, told);
  let shown = null;

  const act = async (what) => {
    try {
      update(await post(`jobs/${job.id}/${what}`));
      if (what === "resume") onResumed();
    } catch (problem) {
      fill(told, problemBox(problem));
    }
  };
  const update = (now) => {
    bar.value = now.progress.fraction;
    bar.hidden = !isLive(now);
    line.textContent = sentence(now);
    if (now.status !== shown) {
      if (shown) announce(`${now.name}: ${now.status}`);
      shown = now.status;
      fill(word, badge(now.status), actions(now, act));
      fill(ending, endingOf(now));
      fill(told);
    }
    return now;
  };
  update(job);
  return { node, update, cut: (isCut) => (cutNote.hidden = !isCut), fail: (error) => fill(told, problemBox(error)) };
}

function actions(job, act) {
  const button = (text, what, kind) => h("button", { class: kind, onclick: () => act(what) }, text);
  if (job.status === "queued" || job.status === "running") return button("Cancel", "cancel", "danger");
  if (job.status === "failed" || job.status === "cancelled") return button("Resume", "resume", "quiet");
  if (job.status === "succeeded" && job.model) return h("a", { class: "button", href: `#/models/${job.model}` }, "See the model");
  if (job.status === "succeeded") {
    const save = () => download(`jobs/${job.id}/assignments`, `${job.name}-assigned.csv`, { accept: "text/csv" });
    return h("button", { onclick: save }, "Download the assignments");
  }
  return null;
}

function endingOf(job) {
  if (job.status !== "failed") return null;
  return problemBox({ title: "This job failed", message: job.error?.message ?? "without a reason" });
}

function sentence({ type, status, progress, started_at, finished_at }) {
  const { iteration, of, fraction, eta_seconds } = progress;
  if (status === "queued") return "Waiting for a worker.";
  const done = type === "train" ? `Iteration ${iteration} of ${of}` : `${percent(fraction)} of the rows`;
  if (status === "cancelling") return `${done}; it ends within a step.`;
  if (status === "running") return `${done}, ${eta_seconds === null ? "time left not known yet" : `about ${duration(eta_seconds)} left`}.`;
  const seconds = (new Date(finished_at) - new Date(started_at ?? finished_at)) / 1000;
  return `${done}, ended ${when(finished_at)} after ${duration(seconds)}.`;
}
