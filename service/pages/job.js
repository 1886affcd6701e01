// One job: live while it runs, then how it ended.

import { get } from "./api.js";
import { h, sleep } from "./dom.js";
import { events } from "./events.js";
import { when } from "./format.js";
import { iterationHistory } from "./history.js";
import { eventLog } from "./log.js";
import { statusCard } from "./jobstatus.js";
import { facts, isLive } from "./parts.js";
import { samplesOf } from "./samples.js";

const POLL_MILLISECONDS = 1000;

export default async function page({ args: [id], signal }) {
  const job = await get(`jobs/${id}`, {}, signal);
  const dataset = await get(`datasets/${job.dataset}`, {}, signal).catch(() => null);
  const status = statusCard(job, () => follow());
  const history = iterationHistory(signal);
  const samples = samplesOf(job, dataset, signal);
  const log = eventLog();
  let [last, listening, polling] = [null, Promise.resolve(), Promise.resolve()];

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
  const fail = (error) => signal.aborted || status.fail(error);
  const follow = () => {
    listening = listening.then(listen).catch(fail); // after what may still be heard
    polling = polling.then(poll).catch(fail);
  };
  follow();
  return {
    title: job.name,
    content: [
      about(job, dataset),
      status.node,
      h("div", { class: "columns" }, samples.node, history.bands),
      history.others,
      log.node,
      status.end,
    ],
  };
}

function about(job, dataset) {
  const source = dataset ? h("a", { href: `#/datasets/${dataset.id}` }, dataset.name) : "deleted";
  return facts([
    ["Data set", source],
    ...(job.config
      ? [
          ["Components", String(job.config.components)],
          ["Seed", String(job.config.seed)],
        ]
      : []),
    ...(job.assigned_by
      ? [["By the model", h("a", { href: `#/models/${job.assigned_by}` }, job.assigned_by)]]
      : []),
    ["Created", when(job.created_at)],
    ["Id", h("code", {}, job.id)],
  ]);
}
