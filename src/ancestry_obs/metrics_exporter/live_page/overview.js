// @ts-check
// What is told of all targets together: the tiles on top, and below them what needs a look.

import { NumberText } from "./cells.js";
import { shortPlace } from "./columns.js";
import { byId, make, setAttribute, setChildren, setText } from "./dom.js";
import { ALL } from "./history.js";
import { Drawing } from "./lines.js";
import { shownNumber, shownSeconds, shownShare } from "./numbers.js";
import { failingExpressions, nearLimits, seriesCount } from "./rows.js";

/** @typedef {import("./rows.js").Status} Status */
/** @typedef {import("./history.js").History} History */
/** @typedef {import("./history.js").Field} Field */
/** @typedef {import("./reckoning.js").Interval} Interval */
/** @typedef {{rate: number, failed: number | null, errors: number, errorsSoFar: number}} Totals */

const MOST_ENTRIES = 8;

/** One number with its name, and a line if it has a history. */
class Tile {
  #number = new NumberText();
  #drawing;

  /**
   * @param {Element} parent
   * @param {string} name
   * @param {Field} [field]
   */
  constructor(parent, name, field) {
    this.element = make("div", { class: "tile" }, make("dt", {}, name));
    this.element.append(make("dd", {}, this.#number.element));
    this.#drawing = field && new Drawing([field]);
    if (this.#drawing) this.element.children[1].append(this.#drawing.element);
    parent.append(this.element);
  }

  /**
   * @param {import("./numbers.js").Shown | null} shown Nothing where it is not known.
   * @param {History} history
   * @param {boolean} [isBad]
   */
  set(shown, history, isBad = false) {
    this.element.hidden = shown === null;
    if (shown) this.#number.set(shown);
    setAttribute(this.element, "data-bad", String(isBad));
    this.#drawing?.set(history, ALL);
  }
}

/** A list of what needs a look; it is not there if it is empty. */
class Remarks {
  #list = make("ul");
  #count = make("span", { class: "count number" });
  #more = make("p", { class: "quiet" });

  /** @param {string} title */
  constructor(title) {
    const head = make("h2", {}, title, " ", this.#count);
    this.element = make("section", { "aria-label": title }, head, this.#list, this.#more);
  }

  /** @param {[string, string][]} entries What it is, and what there is to say of it. */
  set(entries) {
    this.element.hidden = !entries.length;
    setText(this.#count, String(entries.length));
    const shown = entries.slice(0, MOST_ENTRIES);
    const items = [...this.#list.children].slice(0, shown.length);
    while (items.length < shown.length) items.push(make("li", {}, make("bdi"), make("span")));
    setChildren(this.#list, items);
    shown.forEach(([name, text], place) => {
      setText(items[place].children[0], name);
      setText(items[place].children[1], text);
    });
    const left = entries.length - shown.length;
    setText(this.#more, left ? `and ${left} more` : "");
  }
}

export class Overview {
  #tiles = byId("tiles", HTMLDListElement);
  #calls = new Tile(this.#tiles, "Calls/s", "rate");
  #failed = new Tile(this.#tiles, "Failed/s", "failed");
  #errors = new Tile(this.#tiles, "Failed expressions/s", "errors");
  #series = new Tile(this.#tiles, "Series");
  #processes = new Tile(this.#tiles, "Processes");
  #overhead = new Tile(this.#tiles, "Cost of measuring");
  #scrape = new Tile(this.#tiles, "A scrape takes");
  #exporter = new Remarks("Map and exporter");
  #expressions = new Remarks("Failing expressions");
  #labels = new Remarks("Labels near their limits");
  #tree = new Remarks("Processes");

  constructor() {
    const parts = [this.#exporter, this.#expressions, this.#labels, this.#tree];
    byId("remarks", HTMLElement).append(...parts.map((each) => each.element));
  }

  /**
   * @param {Interval} interval
   * @param {Status} status
   * @param {Totals} totals
   * @param {number | null} scrapeSeconds
   * @param {History} history
   */
  show(interval, status, totals, scrapeSeconds, history) {
    const look = interval.after;
    this.#calls.set(shownNumber(totals.rate), history);
    this.#failed.set(shownNumber(totals.failed), history, Boolean(totals.failed));
    this.#errors.set(shownNumber(totals.errors), history, totals.errors > 0);
    this.#series.set(shownNumber(seriesCount(look)), history);
    this.#processes.set(shownNumber(look.processes), history);
    this.#overhead.set(known(look.overhead, shownShare), history);
    this.#scrape.set(known(scrapeSeconds, shownSeconds), history);
    this.#exporter.set(exporterRemarks(status));
    this.#expressions.set(expressionRemarks(interval));
    this.#labels.set(labelRemarks(interval, status));
    this.#tree.set(treeOf(status.processes));
    const map = byId("map", HTMLElement);
    setText(map, shortPlace(status.map));
    setAttribute(map, "title", status.map);
  }
}

/**
 * @param {number | null} number
 * @param {(number: number) => import("./numbers.js").Shown} shown
 */
function known(number, shown) {
  return number === null ? null : shown(number);
}

/**
 * @param {Status} status
 * @returns {[string, string][]}
 */
function exporterRemarks({ map_error, exporter_error, end_error }) {
  /** @type {[string, string][]} */
  const told = [
    ["Map", map_error],
    ["Serving", exporter_error],
    ["At the end", end_error],
  ];
  return told.filter(([, text]) => text);
}

/**
 * @param {Interval} interval
 * @returns {[string, string][]}
 */
function expressionRemarks(interval) {
  return failingExpressions(interval).map(({ target, metric, label, count, rate }) => {
    const what = label ? `${metric}, ${label}` : metric;
    const now = rate ? `${shownNumber(rate).number}/s, ` : "";
    return [`${target} → ${what}`, `${now}${whole(count)} so far`];
  });
}

/**
 * @param {Interval} interval
 * @param {Status} status
 * @returns {[string, string][]}
 */
function labelRemarks(interval, status) {
  return nearLimits(interval.after, status).map(({ metric, label, used, limit, over }) => {
    const lost = over ? `, ${whole(over)} times other` : "";
    return [`${metric}, ${label}`, `${whole(used)} of ${whole(limit)} values${lost}`];
  });
}

/**
 * List processes as a tree, each below the one that has started it; one alone is none.
 * @param {import("./rows.js").Process[]} processes
 * @returns {[string, string][]}
 */
function treeOf(processes) {
  if (processes.length < 2) return [];
  const pids = new Set(processes.map((each) => each.pid));
  const below = Map.groupBy(processes, ({ parent }) => (pids.has(parent ?? 0) ? parent : null));
  /** @type {[string, string][]} */
  const lines = [];
  const add = (/** @type {number | null} */ parent, /** @type {number} */ depth) => {
    for (const each of below.get(parent) ?? []) {
      const branch = depth ? `${"\u2003".repeat(depth - 1)}└ ` : "";
      lines.push([branch + each.name, `${each.pid}${each.serves ? ", serves this page" : ""}`]);
      add(each.pid, depth + 1);
    }
  };
  add(null, 0);
  return lines;
}

/**
 * Write a count with its thousands apart; the browser's own way takes it long the first time.
 * @param {number} count
 */
function whole(count) {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}
