// @ts-check
// The program as this page knows it: what its exporter answers comes in, rows and history go out.

import { ALL, History } from "./history.js";
import { Joined } from "./joined.js";
import { Reader } from "./looks.js";
import { Interval, secondsOfScrape, sum } from "./reckoning.js";
import { targetRows, totals } from "./rows.js";

/** @typedef {import("./looks.js").Look} Look */
/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Status} Status */

/** So far back go rates and quantiles, in seconds. */
export const WINDOW = 10;
// The share of a processor that the program may spend on answering, with its numbers and with its
// states; and what an answer takes it, by what it says of that and besides, in seconds
// (benchmarks/live_page.py).
const SHARE = 0.0045;
const STATUS_SHARE = 0.0005;
const ANSWER = { timesSpent: 1.1, besides: 0.0015 };
// By so many answers that is judged, and until then no pause is longer than this, in seconds.
const ENOUGH = 5;
const FIRST_PAUSE = 5;
// A state's reason may change without the state.
const STATUS_SECONDS = 60;
const ANSWER_MILLISECONDS = 20_000;

export class Program {
  history = new History();
  /** @type {Row[]} */
  rows = [];
  /** @type {Interval | null} */
  interval = null;
  /** @type {Status | null} */
  status = null;
  totals = totals([]);
  /** @type {number | null} */
  scrapeSeconds = null;
  #reader = new Reader();
  #joined = new Joined([], []);
  /** @type {Look[]} */
  #looks = [];
  #told = "";
  #statusAt = -Infinity;
  #statusSeconds = 0;
  /** @type {number[]} Seconds of a processor that the last answers took. */
  #spent = [];

  /**
   * Ask it.
   * @param {AbortSignal} signal Ends it: then nothing comes of what was asked.
   * @throws {Error} It does not answer, or as no exporter of ours does.
   */
  async look(signal) {
    const look = this.#reader.read(await get("page/numbers", signal), performance.now() / 1000);
    const last = this.#looks.at(-1);
    const hasRestarted = last !== undefined && look.begun !== last.begun;
    if (hasRestarted) this.interrupt();
    if (!this.status || look.told !== this.#told || hasRestarted || this.#isOld(look.at)) {
      await this.#askStatus(signal);
      [this.#told, this.#statusAt] = [look.told, look.at];
    }
    await this.#take(look, signal);
  }

  /** Begin anew: nobody looked for a while, so that nothing is known of it. */
  interrupt() {
    if (this.#looks.length) this.history.add(performance.now() / 1000, null);
    this.#looks = [];
  }

  /**
   * Give how many seconds are to be from one look to the next: the program is not to be busy with it.
   * @param {number} every What a person would like.
   */
  pause(every) {
    const spent = this.#spent.length ? sum(this.#spent) / this.#spent.length : 0;
    const pause = (spent * ANSWER.timesSpent + ANSWER.besides) / SHARE;
    return Math.max(every, this.#spent.length < ENOUGH ? Math.min(pause, FIRST_PAUSE) : pause);
  }

  /**
   * @param {Look} look
   * @param {AbortSignal} signal
   */
  async #take(look, signal) {
    this.#looks.push(look);
    // The oldest is as far back as the window goes, or a look further.
    while (this.#looks.length > 2 && this.#looks[1].at <= look.at - WINDOW) this.#looks.shift();
    this.#spent = [...this.#spent, look.spent].slice(-ENOUGH);
    const [oldest] = this.#looks;
    const interval = new Interval(oldest, look);
    if (!this.status) return;
    const rows = await targetRows(interval, this.status, this.#joined);
    signal.throwIfAborted();
    // All of it at once: a person may choose another view while rows are made.
    this.interval = interval;
    this.rows = rows;
    this.totals = totals(rows);
    this.scrapeSeconds = secondsOfScrape(oldest, look);
    if (oldest !== look) this.history.add(look.at, [{ ...this.totals, target: ALL, quantiles: [] }, ...rows]);
  }

  /** @param {number} now */
  #isOld(now) {
    return now - this.#statusAt > Math.max(STATUS_SECONDS, this.#statusSeconds / STATUS_SHARE);
  }

  /** @param {AbortSignal} signal */
  async #askStatus(signal) {
    const began = performance.now();
    /** @type {Record<string, any>} */
    const read = await get("status", signal);
    this.#statusSeconds = (performance.now() - began) / 1000;
    this.status = {
      map: String(read.map ?? ""),
      map_error: String(read.map_error ?? ""),
      exporter_error: String(read.exporter_error ?? ""),
      end_error: String(read.end_error ?? ""),
      targets: read.targets ?? [],
      feeds: read.feeds ?? [],
      places: new Map(Object.entries(read.places ?? {})),
      label_limits: read.label_limits ?? [],
      costs: new Map(Object.entries(read.costs ?? {})),
      processes: read.processes ?? [],
    };
    this.#joined = new Joined(this.status.targets, this.status.feeds);
  }
}

/**
 * Give what a page of the program has, which is JSON.
 * @param {string} path
 * @param {AbortSignal} ended
 * @returns {Promise<any>}
 */
async function get(path, ended) {
  const signal = AbortSignal.any([ended, AbortSignal.timeout(ANSWER_MILLISECONDS)]);
  // Without user and password, which a person may have put into the address: those are refused here,
  // and the browser knows them by now.
  const url = new URL(path, location.origin + location.pathname);
  const answer = await fetch(url, { cache: "no-store", signal });
  if (!answer.ok) throw new Error(`${answer.status}: ${(await answer.text()).split("\n")[0]}`);
  try {
    return await answer.json();
  } catch {
    throw new Error("no exporter of ancestry-obs answers");
  }
}
