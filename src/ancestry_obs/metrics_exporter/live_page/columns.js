// @ts-check
// The columns of the table: a row comes in, what stands in its cell goes out, and what it is sorted by.

import { NOTHING, shownNumber, shownSeconds, shownShare } from "./numbers.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./numbers.js").Shown} Shown */
/** @typedef {import("./history.js").Field} Field */

/**
 * @typedef {object} Column
 * @property {string} name What the address calls it, and the style sheet.
 * @property {string} head
 * @property {string} title What it tells, in a sentence.
 * @property {(row: Row) => number | string | null} key What is sorted by; null comes last.
 * @property {((row: Row) => Shown & {mark?: string})} [shown] Gives a number; the greatest comes first.
 * @property {((row: Row) => string)} [text] Gives a text.
 * @property {Field} [line] What is drawn beside it.
 */

// The worst first.
export const STATES = ["error", "pending", "idle", "expired", "installed"];

/** @type {Column[]} */
export const COLUMNS = [
  {
    name: "state",
    head: "State",
    title: "Whether the target is measured",
    key: (row) => STATES.indexOf(row.state),
    text: (row) => row.state,
  },
  {
    name: "target",
    head: "Target",
    title: "The function, where it is defined",
    key: (row) => row.target,
  },
  {
    name: "woven",
    head: "Woven",
    title: "How it is measured: inline in its own code, by a call of the original, or by a proxy",
    key: (row) => row.way,
    text: (row) => row.way || "–",
  },
  {
    name: "place",
    head: "Map",
    title: "The line of the map that names it",
    key: (row) => row.place,
    text: (row) => shortPlace(row.place) || "–",
  },
  {
    name: "calls",
    head: "Calls/s",
    title: "Calls that ended, for each second",
    key: (row) => row.rate,
    shown: (row) => shownNumber(row.rate),
    line: "rate",
  },
  {
    name: "failed",
    head: "Failed/s",
    title: "Calls that failed, for each second",
    key: (row) => row.failed,
    shown: (row) => ({
      ...shownNumber(row.failed),
      mark: row.isFailedShared && row.failed !== null ? "~" : "",
    }),
    line: "failed",
  },
  quantile("p50", 0),
  { ...quantile("p95", 1), line: "p95" },
  quantile("p99", 2),
  {
    name: "errors",
    head: "Errors",
    title: "Expressions of the map that failed at its calls, so far",
    key: (row) => row.errorsSoFar,
    shown: (row) => shownNumber(row.errorsSoFar),
  },
  {
    name: "cost",
    head: "Cost",
    title: "The estimated share of a processor that measuring it takes",
    key: (row) => row.cost,
    shown: (row) => (row.cost === null ? NOTHING : shownShare(row.cost)),
  },
];

/**
 * @param {"p50" | "p95" | "p99"} name
 * @param {number} place
 * @returns {Column}
 */
function quantile(name, place) {
  return {
    name,
    head: name.toUpperCase(),
    title: `What ${name.slice(1)} in a hundred calls did not exceed`,
    key: (row) => row.quantiles[place]?.value ?? null,
    shown: (row) => {
      const found = row.quantiles[place];
      if (!found) return NOTHING;
      const shown = shownSeconds(found.below ?? found.value);
      const beyond = found.isLeast ? ">" : found.below !== null ? "<" : "";
      return { ...shown, mark: (row.isShared ? "~" : "") + beyond };
    },
  };
}

/**
 * Leave out the folders of a place.
 * @param {string} place `file:line`
 */
export function shortPlace(place) {
  return place.slice(Math.max(place.lastIndexOf("/"), place.lastIndexOf("\\")) + 1);
}

/**
 * Sort rows; those that are alike by their names.
 * @param {Row[]} rows
 * @param {string} name Of the column.
 * @param {boolean} isReversed
 */
export function sorted(rows, name, isReversed) {
  const column = COLUMNS.find((each) => each.name === name) ?? COLUMNS[0];
  const direction = (column.shown ? -1 : 1) * (isReversed ? -1 : 1);
  const keyed = rows.map((row) => ({ row, key: column.key(row) }));
  keyed.sort((one, other) => {
    if (one.key !== other.key) {
      if (one.key === null || one.key === "") return 1;
      if (other.key === null || other.key === "") return -1;
      return one.key < other.key ? -direction : direction;
    }
    return one.row.target < other.row.target ? -1 : 1;
  });
  return keyed.map(({ row }) => row);
}
