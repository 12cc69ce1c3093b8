// @ts-check
// What is told of one target below its row: its lines, why it is as it is, and what it feeds.

import { NumberText } from "./cells.js";
import { draw, make, setAttribute, setChildren, setText } from "./dom.js";
import { Drawing, topOf } from "./lines.js";
import { shownNumber, shownSeconds, shownShare, textOf } from "./numbers.js";
import { placesOf } from "./rows.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./rows.js").Status} Status */
/** @typedef {import("./history.js").History} History */
/** @typedef {import("./history.js").Field} Field */

const WAYS = new Map([
  ["inline", "inline: its own code has the statements that measure"],
  ["call", "call: its code calls the original"],
  ["proxy", "proxy: its name is bound to a proxy"],
]);
const STATES = new Map([
  ["error", "error: it is not measured"],
  ["pending", "pending: its module is not imported yet"],
  ["installed", "installed: its calls are measured"],
  ["idle", "idle: it is measured, and nothing has called it"],
  ["expired", "expired: the map measures it no more"],
]);

/** A drawing with a legend: what each line is, and what it is now. */
class Chart {
  #top = make("span", { class: "number" });
  #legend = make("figcaption");
  #numbers;
  #fields;
  #drawing;

  /**
   * @param {string} title
   * @param {[Field, string][]} fields What each line is of, and what it is called.
   * @param {(number: number | null) => import("./numbers.js").Shown} shown
   */
  constructor(title, fields, shown) {
    this.title = title;
    this.shown = shown;
    this.#fields = fields;
    const kinds = fields.map(([field]) => field);
    this.#drawing = new Drawing(kinds, kinds, { role: "img" });
    this.#numbers = fields.map(([field, name]) => {
      const number = new NumberText();
      const key = draw("svg", { class: `key ${field}`, viewBox: "0 0 10 10", "aria-hidden": "true" });
      key.append(draw("path", { class: `line ${field}`, d: "M0 5h10" }));
      this.#legend.append(make("span", { class: "entry" }, key, name, " ", number.element));
      return number;
    });
    const plot = make("div", { class: "plot" }, this.#drawing.element);
    const axis = make("div", { class: "axis quiet", "aria-hidden": "true" });
    axis.append(make("span", {}, "5 min ago"), this.#top, make("span", {}, "now"));
    this.element = make("figure", {}, this.#legend, plot, axis);
  }

  /**
   * @param {string} target
   * @param {History} history
   */
  set(target, history) {
    this.#drawing.set(history, target);
    const top = topOf(history, target, this.#drawing.fields);
    const said = this.#fields.map(([field, name], place) => {
      const last = history.latest(target, field);
      const shown = this.shown(Number.isNaN(last) ? null : last);
      this.#numbers[place].set(shown);
      return `${name} ${textOf(shown)}`;
    });
    setText(this.#top, top ? `0 to ${textOf(this.shown(top))}` : "");
    setAttribute(this.#drawing.element, "aria-label", `${this.title} now: ${said.join(", ")}`);
  }
}

export class Details {
  #facts = make("dl", { class: "facts" });
  #charts = [
    new Chart("Calls for each second", [["rate", "Calls/s"], ["failed", "Failed/s"]], shownNumber),
    new Chart("Seconds of a call", [["p50", "P50"], ["p95", "P95"], ["p99", "P99"]], shownSeconds),
    new Chart("Expressions that failed, for each second", [["errors", "Errors/s"]], shownNumber),
  ];
  /** @type {Map<string, HTMLElement>} */
  #known = new Map();

  /** @param {number} columns */
  constructor(columns) {
    const charts = make("div", { class: "charts" }, ...this.#charts.map((each) => each.element));
    const cell = make("td", { colspan: String(columns) }, charts, this.#facts);
    this.element = make("tr", { class: "details" }, cell);
  }

  /**
   * @param {Row} row
   * @param {History} history
   * @param {Status} status
   */
  set(row, history, status) {
    for (const each of this.#charts) each.set(row.target, history);
    const shown = [];
    for (const [name, texts] of factsOf(row, status)) {
      if (!texts.length) continue;
      const entry = this.#known.get(name) ?? make("div", {}, make("dt", {}, name));
      this.#known.set(name, entry);
      const values = [...entry.children].slice(1);
      while (values.length < texts.length) values.push(make("dd", {}, make("bdi")));
      values.length = texts.length;
      setChildren(entry, [entry.children[0], ...values]);
      texts.forEach((text, place) => setText(values[place].children[0], text));
      shown.push(entry);
    }
    setChildren(this.#facts, shown);
  }
}

/**
 * @param {Row} row
 * @param {Status} status
 * @returns {[string, string[]][]} What it is called, and what there is of it.
 */
function factsOf(row, status) {
  const patterns = new Set(row.told?.patterns);
  const metrics = status.feeds.filter((each) => patterns.has(each.pattern)).map(feedText);
  return [
    ["State", [STATES.get(row.state) ?? row.state]],
    ["Reason", row.reason ? [row.reason] : []],
    ["Woven", row.way ? [WAYS.get(row.way) ?? row.way] : []],
    ["In the map", placesOf(row.told, status)],
    ["Named by", [...patterns].filter((each) => each !== row.target)],
    ["Also known as", row.told?.aliases ?? []],
    ["Not reached", row.told?.unreached ?? []],
    ["Feeds", [...new Set(metrics)]],
    ["Calls so far", [textOf(shownNumber(row.calls))]],
    ["Failed expressions so far", row.errorsSoFar ? [textOf(shownNumber(row.errorsSoFar))] : []],
    ["Share of a processor", row.cost === null ? [] : [textOf(shownShare(row.cost))]],
  ];
}

/** @param {import("./joined.js").Feed} feed */
function feedText({ metric, constants, on }) {
  const labels = Object.entries(constants).map(([name, value]) => `${name}="${value}"`);
  return `${metric}${labels.length ? `{${labels.join(",")}}` : ""} at ${on}`;
}
