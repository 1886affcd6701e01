// A job's log as it grows: server-sent events, read by fetch as EventSource can't send a key.

import { call } from "./api.js";
import { sleep } from "./dom.js";

const RETRY_MILLISECONDS = 2000;
const TYPE = "text/event-stream";

/**
 * The events of a job that follow the one with the id `last`, until it has ended; a stream that is
 * cut is taken up again where it was. Throws Problem, or the signal's reason once that is aborted.
 * @param {string} job its id
 * @param {string|null} last
 * @param {AbortSignal} signal
 * @param {(isCut: boolean) => void} onCut
 */
export async function* events(job, last, signal, onCut) {
  for (;;) {
    try {
      const headers = last ? { "Last-Event-ID": last } : {};
      const response = await call(`jobs/${job}/events`, { accept: TYPE, headers, signal });
      onCut(false);
      if (response.status === 204) return;
      for await (const { id, data } of messages(response.body)) {
        last = id;
        yield JSON.parse(data);
      }
    } catch (error) {
      signal.throwIfAborted();
      if (isFinal(error)) throw error;
      onCut(true);
      await sleep(RETRY_MILLISECONDS, signal);
    }
  }
}

/** The messages of a stream that have data. */
async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (text + value).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const fields = Object.fromEntries(block.split("\n").map((line) => line.split(/: ?(.*)/s, 2)));
      if (fields.data) yield fields;
    }
  }
}

const isFinal = (error) => error.status >= 400 && error.status < 500 && error.status !== 429;
