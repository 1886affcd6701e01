// How a job is, and what can be done about it.

import { download, post } from "./api.js";
import { deletion } from "./dialogs.js";
import { announce, fill, h } from "./dom.js";
import { duration, percent, when } from "./format.js";
import { badge, isLive, problemBox, progressBar } from "./parts.js";

const MEANING = "Its log and its samples go for good. Its data set stays, and so does its model.";

/** The card that tells how a job is and lets it be cancelled, resumed and made use of. */
export function statusCard(job, onResumed) {
  const bar = progressBar(0, "Progress");
  const line = h("p", { class: "fine" });
  const word = h("div", { class: "row" });
  const ending = h("div");
  const told = h("div");
  const end = h("div");
  const cutNote = h(
    "p",
    { class: "warning", hidden: true },
    "The connection was lost; trying again…",
  );
  const node = h(
    "section",
    { class: "card", "aria-label": "Status" },
    word,
    bar,
    line,
    cutNote,
    ending,
    told,
  );
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
      fill(end, !isLive(now) && deletion(`jobs/${job.id}`, job.name, MEANING, "#/jobs"));
      fill(told);
    }
    return now;
  };
  update(job);
  return {
    node,
    end,
    update,
    cut: (isCut) => (cutNote.hidden = !isCut),
    fail: (error) => fill(told, problemBox(error)),
  };
}

function actions(job, act) {
  const button = (text, what, kind) => h("button", { class: kind, onclick: () => act(what) }, text);
  if (["queued", "running"].includes(job.status)) return button("Cancel", "cancel", "danger");
  if (["failed", "cancelled"].includes(job.status)) return button("Resume", "resume", "quiet");
  if (job.status !== "succeeded") return null;
  if (job.type === "assign") return saving(`jobs/${job.id}`, job.name);
  if (job.model === null) return "Its model was deleted.";
  const seeing = h("a", { class: "button", href: `#/models/${job.model}` }, "See the model");
  return [seeing, saving(`models/${job.model}`, job.name)];
}

/** A button that saves which component each point belongs to. */
function saving(path, name) {
  const options = { accept: "text/csv" };
  const save = () => download(`${path}/assignments`, `${name}-assigned.csv`, options);
  return h("button", { class: "quiet", onclick: save }, "Download the assignments");
}

function endingOf(job) {
  if (job.status !== "failed") return null;
  return problemBox({
    title: "This job failed",
    message: job.error?.message ?? "without a reason",
  });
}

function sentence({ type, status, progress, started_at, finished_at }) {
  const { iteration, of, fraction, eta_seconds } = progress;
  const isTraining = type === "train";
  const done = isTraining ? `Iteration ${iteration} of ${of}` : `${percent(fraction)} of the rows`;
  if (status === "queued") return "Waiting for a worker.";
  if (status === "running" && isTraining && !fraction)
    return "Looking for a partition to start from.";
  if (status === "cancelling") return `${done}; it ends within a step.`;
  if (status === "running" && eta_seconds === null) return `${done}; time left not known yet.`;
  if (status === "running") return `${done}, about ${duration(eta_seconds)} left.`;
  const seconds = (new Date(finished_at) - new Date(started_at ?? finished_at)) / 1000;
  return `${done}, ended ${when(finished_at)} after ${duration(seconds)}.`;
}
