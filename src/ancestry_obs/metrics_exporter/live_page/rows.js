// @ts-check
// An interval and a status come in, what the page shows goes out, in numbers; see `live/rows.py`.

import { sum } from "./reckoning.js";
import { Slices } from "./slices.js";

/** @typedef {import("./looks.js").Look} Look */
/** @typedef {import("./reckoning.js").Interval} Interval */
/** @typedef {import("./reckoning.js").Quantile} Quantile */
/** @typedef {import("./joined.js").Joined} Joined */
/** @typedef {import("./joined.js").Feed} Feed */
/** @typedef {import("./joined.js").Fed} Fed */
/** @typedef {import("./joined.js").Feeding} Feeding */

/**
 * @typedef {object} TargetStatus A target as the page `/status` has it.
 * @property {string} target
 * @property {string} state
 * @property {string} reason
 * @property {string[]} aliases
 * @property {string[]} unreached
 * @property {string} way
 * @property {string[]} patterns
 * @property {number} calls
 */

/** @typedef {{pid: number, parent: number | null, name: string, serves: boolean}} Process */

/**
 * @typedef {object} Status The page `/status`.
 * @property {string} map
 * @property {string} map_error
 * @property {string} exporter_error
 * @property {string} end_error
 * @property {TargetStatus[]} targets
 * @property {Feed[]} feeds
 * @property {Map<string, string[]>} places Where the map names each pattern.
 * @property {{metric: string, full_name: string, label: string, limit: number}[]} label_limits
 * @property {Map<string, number>} costs Seconds that measuring one call takes.
 * @property {Process[]} processes
 */

/**
 * @typedef {object} Row A target, in numbers; what is not known is null.
 * @property {string} target
 * @property {string} state
 * @property {string} reason
 * @property {string} way
 * @property {string} place Its line in the map; of several the first.
 * @property {number | null} rate Calls that ended, for each second.
 * @property {number | null} failed Those of them that failed.
 * @property {boolean} isFailedShared Whether `failed` is that of other targets too.
 * @property {string} failedOf Which series `failed` is of.
 * @property {(Quantile | null)[]} quantiles Of a call's seconds.
 * @property {boolean} isShared Whether the quantiles are those of other targets too.
 * @property {number} errors Expressions that failed, for each second.
 * @property {number} errorsSoFar Expressions that failed so far.
 * @property {number} calls Calls so far.
 * @property {number | null} cost The share of a processor that measuring it takes.
 * @property {TargetStatus | undefined} told What `/status` says of it.
 */

/** @typedef {{target: string, metric: string, label: string, count: number, rate: number | null}} Failure */
/** @typedef {{metric: string, label: string, limit: number, used: number, over: number}} Label */

const NONE = [null, null, null];
// So much of a limit is near it.
const NEAR = 0.8;
const UNTOLD = { failed: null, isFailedShared: false, failedOf: "" };

/**
 * Make a row for each target.
 * @param {Interval} interval
 * @param {Status} status
 * @param {Joined} joined
 * @returns {Promise<Row[]>}
 */
export async function targetRows(interval, status, joined) {
  const { calls, targets } = interval.after;
  const told = new Map(status.targets.map((each) => [each.target, each]));
  const failures = Map.groupBy(failingExpressions(interval), (each) => each.target);
  const slices = new Slices();
  /** @type {Row[]} */
  const rows = [];
  for (const [place, [target, state, count]] of targets.entries()) {
    if (slices.isOver) await slices.rest();
    const known = told.get(target);
    // What is over is not called any more.
    const rate = state === "expired" ? null : interval.amount(calls, [place]);
    const errors = failures.get(target) ?? [];
    const cost = status.costs.get(target);
    rows.push({
      target,
      state,
      reason: known?.reason ?? "",
      way: known?.way ?? "",
      place: placesOf(known, status)[0] ?? "",
      rate,
      errors: sum(errors.map((each) => each.rate ?? 0)),
      errorsSoFar: sum(errors.map((each) => each.count)),
      calls: count,
      cost: cost === undefined || rate === null ? null : cost * rate,
      told: known,
      ...numbersOf(joined.of(target), rate, interval),
    });
  }
  return rows;
}

/**
 * Give where the map names a target.
 * @param {TargetStatus | undefined} told
 * @param {Status} status
 */
export function placesOf(told, status) {
  if (told?.patterns.length === 1) return status.places.get(told.patterns[0]) ?? [];
  return [...new Set(told?.patterns.flatMap((each) => status.places.get(each) ?? []))];
}

/**
 * Give what a target's feeds tell.
 * @param {Fed} fed
 * @param {number | null} rate
 * @param {Interval} interval
 */
function numbersOf({ timed, failing }, rate, interval) {
  if (rate === null) return { ...UNTOLD, quantiles: NONE, isShared: false };
  const failed = failedOf(failing, interval);
  if (!rate) {
    // Of one without calls they are others'.
    const none = failed.failed === null ? null : 0;
    return { ...UNTOLD, failed: none, quantiles: NONE, isShared: false };
  }
  const quantiles = timed?.quantiles(interval) ?? NONE;
  return { ...failed, quantiles, isShared: timed?.isShared ?? false };
}

/**
 * Tell how many calls of a target failed. One call may feed several metrics: what they tell is never
 * added up, and the most counts; what is the target's own before what others feed too.
 * @param {Feeding[]} failing
 * @param {Interval} interval
 */
function failedOf(failing, interval) {
  /** @type {{failed: number | null, isFailedShared: boolean, failedOf: string}} */
  let best = UNTOLD;
  for (const each of failing) {
    const failed = each.amount(interval);
    if (failed === null) continue;
    const isFirst = best.failed === null || (best.isFailedShared && !each.isShared);
    if (isFirst || (best.isFailedShared === each.isShared && failed > (best.failed ?? 0))) {
      best = { failed, isFailedShared: each.isShared, failedOf: each.series };
    }
  }
  return best;
}

/**
 * List what the map has that failed, what fails most now first.
 * @param {Interval} interval
 * @returns {Failure[]}
 */
export function failingExpressions(interval) {
  const { failures } = interval.after;
  const found = failures.series.values.map(([target, metric, label], place) => {
    const rate = interval.amount(failures, [place]);
    return { target, metric, label, count: Number(failures.numbers[place]), rate };
  });
  const failed = found.filter((each) => each.count > 0);
  return failed.sort((one, other) => (other.rate ?? 0) - (one.rate ?? 0) || other.count - one.count);
}

/**
 * List the labels with so many values that soon new ones become `other`, the fullest first.
 * @param {Look} look
 * @param {Status} status
 * @returns {Label[]}
 */
export function nearLimits(look, status) {
  const over = new Map(look.overflows.map(([metric, label, count]) => [`${metric} ${label}`, count]));
  const found = status.label_limits.map(({ metric, full_name, label, limit }) => {
    const used = look.metrics.get(full_name)?.series.used(label) ?? 0;
    return { metric, label, limit, used, over: over.get(`${metric} ${label}`) ?? 0 };
  });
  const near = found.filter((each) => each.over > 0 || each.used >= NEAR * each.limit);
  return near.sort((one, other) => other.used / other.limit - one.used / one.limit);
}

/**
 * Add up what targets tell; what several of them tell of the same series counts once.
 * @param {Row[]} rows
 */
export function totals(rows) {
  const failed = new Map(rows.map((each) => [each.failedOf || each.target, each.failed]));
  const known = [...failed.values()].filter((each) => each !== null);
  return {
    rate: sum(rows.map((each) => each.rate ?? 0)),
    failed: known.length ? sum(known) : null,
    errors: sum(rows.map((each) => each.errors)),
    errorsSoFar: sum(rows.map((each) => each.errorsSoFar)),
  };
}

/**
 * Give how many series the map's metrics have.
 * @param {Look} look
 */
export function seriesCount({ metrics }) {
  return sum([...metrics.values()].map(({ series }) => series.values.length));
}
