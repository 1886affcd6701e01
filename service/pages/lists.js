// Lists that the API gives page by page, newest first.

import { get } from "./api.js";
import { fill, h } from "./dom.js";
import { table } from "./parts.js";

const LIMIT = 50;

/**
 * The items as the rows of a table, with a button for more of them as long as there are more.
 * @param {string} path of the list
 * @param {string} caption
 * @param {string[]} head
 * @param {(item: object) => any[]} row
 * @param {HTMLElement|null} whenEmpty shown in place of the table
 * @param {AbortSignal} signal aborted when the page is left
 * @param {object} [query] which items are wanted
 */
export async function list(path, caption, head, row, whenEmpty, signal, query = {}) {
  const rows = [];
  const place = h("div");
  const add = async (after) => {
    const page = await get(path, { ...query, limit: LIMIT, after }, signal);
    rows.push(...page.data.map(row));
    const more = h("button", { class: "quiet", onclick: () => add(page.last_id) }, "Show more");
    fill(place, table(caption, head, rows), page.has_more && more);
  };
  await add(null);
  return rows.length > 0 ? place : whenEmpty;
}
