// @ts-check
// All that is seen, and what a person does with it: a changed view is shown and kept in the address.

import { keepView } from "./address.js";
import { COLUMNS, STATES } from "./columns.js";
import { byId, make, setAttribute, setText } from "./dom.js";
import { Overview } from "./overview.js";
import { WINDOW } from "./program.js";
import { PAGE_ROWS, TargetTable } from "./target_table.js";

/** @typedef {import("./address.js").View} View */

export class Screen {
  #overview = new Overview();
  #table = new TargetTable((column) => this.#sortBy(column), (target) => this.#open(target));
  #connection = byId("connection", HTMLElement);
  #at = byId("at", HTMLElement);
  #words = byId("words", HTMLInputElement);
  #way = byId("way", HTMLSelectElement);
  #sort = byId("sort", HTMLSelectElement);
  #every = byId("every", HTMLSelectElement);
  #states = ["", ...STATES].map((state) => new StateButton(state, () => this.#choose({ state })));
  #hasFoundTarget = false;

  /**
   * @param {View} view
   * @param {import("./program.js").Program} program
   * @param {() => void} ask Asks the program at once.
   */
  constructor(view, program, ask) {
    this.view = view;
    this.program = program;
    this.ask = ask;
    byId("states", HTMLElement).append(...this.#states.map((each) => each.button));
    for (const { name, head } of COLUMNS) this.#sort.append(make("option", { value: name }, head));
    this.#fillIn();
    this.#listen();
  }

  /** Get ready to show what the program does now. */
  async prepare() {
    await this.#table.prepare(this.program.rows.length);
  }

  /** Show what the program does now. */
  show(isNew = false) {
    const { interval, status, rows, history, totals, scrapeSeconds } = this.program;
    if (!interval || !status) return;
    this.#overview.show(interval, status, totals, scrapeSeconds, history);
    this.#tellPace();
    this.#findTarget();
    const shown = this.#table.show(rows, this.view, history, status, isNew);
    const { pages, matching } = shown;
    const counts = Map.groupBy(rows, (each) => each.state);
    for (const each of this.#states) {
      each.set(each.state ? (counts.get(each.state)?.length ?? 0) : rows.length, this.view.state);
    }
    setAttribute(byId("targets", HTMLElement), "data-costs", String(status.costs.size > 0));
    setText(byId("shown", HTMLElement), countText(matching.length, rows.length));
    byId("nothing", HTMLElement).hidden = matching.length > 0 || rows.length === 0;
    this.view.page = Math.min(this.view.page, pages);
    byId("pages", HTMLElement).hidden = pages === 1;
    setText(byId("page", HTMLElement), `${this.view.page} of ${pages}`);
    byId("previous", HTMLButtonElement).disabled = this.view.page === 1;
    byId("next", HTMLButtonElement).disabled = this.view.page === pages;
  }

  /** Say that the program answers. */
  connected() {
    this.#say("live", "Live");
    setText(this.#at, new Date().toTimeString().slice(0, "hh:mm:ss".length));
  }

  /**
   * Say that it does not; what was shown stays.
   * @param {string} reason
   */
  lost(reason) {
    this.#say("lost", `No answer, trying again: ${reason}`);
  }

  /** @param {boolean} isPaused */
  paused(isPaused) {
    this.#say(isPaused ? "paused" : "waiting", isPaused ? "Paused" : "Asking the program …");
  }

  /**
   * @param {string} kind
   * @param {string} text
   */
  #say(kind, text) {
    setAttribute(this.#connection, "data-kind", kind);
    setText(this.#connection, text);
  }

  #listen() {
    this.#words.addEventListener("input", () => this.#choose({ words: this.#words.value }));
    this.#way.addEventListener("change", () => this.#choose({ way: this.#way.value }));
    this.#sort.addEventListener("change", () => this.#choose({ sort: this.#sort.value }));
    this.#every.addEventListener("change", () => {
      this.#choose({ every: Number(this.#every.value) });
      this.ask();
    });
    byId("all", HTMLButtonElement).addEventListener("click", () => {
      this.#choose({ words: "", state: "", way: "" });
      this.#words.focus();
    });
    for (const [id, step] of /** @type {[string, number][]} */ ([["previous", -1], ["next", 1]])) {
      const turn = () => this.#choose({ page: this.view.page + step });
      byId(id, HTMLButtonElement).addEventListener("click", turn);
    }
    document.addEventListener("keydown", (event) => {
      const { target } = this.view;
      const isIn = byId("rows", HTMLElement).contains(document.activeElement);
      if (event.key === "Escape" && target && isIn) {
        this.#table.focus(target);
        this.#choose({ target: "", page: this.view.page });
      }
    });
  }

  /**
   * Take up another view; what it is filtered by leads to its first page.
   * @param {Partial<View>} change
   */
  #choose(change) {
    Object.assign(this.view, { page: 1, ...change });
    this.#fillIn();
    this.show(true);
    keepView(this.view);
  }

  #fillIn() {
    const { words, way, sort, every } = this.view;
    if (this.#words.value !== words) this.#words.value = words;
    this.#way.value = way;
    this.#sort.value = sort;
    if (![...this.#every.options].some((each) => Number(each.value) === every)) {
      this.#every.append(make("option", { value: String(every) }, `${every} s`));
    }
    this.#every.value = String(every);
    this.#tellPace();
  }

  /** Tell how often the program is asked, if that is less than what a person would like. */
  #tellPace() {
    const { every } = this.view;
    const pace = this.program.pause(every);
    setText(byId("window", HTMLElement), `${Math.round(Math.max(pace, WINDOW))} seconds`);
    const more = byId("pace", HTMLElement);
    more.hidden = pace <= every;
    setText(more, ` Answering takes the program long: it is asked every ${Math.round(pace)} seconds.`);
  }

  /** @param {string} sort */
  #sortBy(sort) {
    const isReversed = this.view.sort === sort && !this.view.isReversed;
    this.#choose({ sort, isReversed });
  }

  /** @param {string} target */
  #open(target) {
    const { page } = this.view;
    this.#choose({ target: this.view.target === target ? "" : target, page });
  }

  /** Show the page that has the target of the address, the first time. */
  #findTarget() {
    if (this.#hasFoundTarget || !this.view.target) return;
    this.#hasFoundTarget = true;
    const place = this.#table.placeOf(this.program.rows, this.view);
    if (place >= 0) this.view.page = Math.floor(place / PAGE_ROWS) + 1;
  }
}

/** A button that keeps the targets of one state, and tells how many there are. */
class StateButton {
  #count = make("span", { class: "count number" });

  /**
   * @param {string} state
   * @param {() => void} choose
   */
  constructor(state, choose) {
    this.state = state;
    const word = make("span", { class: "badge", "data-state": state }, state || "all");
    this.button = make("button", { type: "button", "aria-pressed": "false" }, word, " ", this.#count);
    this.button.addEventListener("click", choose);
  }

  /**
   * @param {number} count
   * @param {string} chosen
   */
  set(count, chosen) {
    setText(this.#count, String(count));
    setAttribute(this.button, "aria-pressed", String(this.state === chosen));
    this.button.hidden = !count && this.state !== "" && this.state !== chosen;
  }
}

/**
 * @param {number} shown
 * @param {number} all
 */
function countText(shown, all) {
  if (!all) return "The map has no targets yet";
  return shown === all ? `${all} targets` : `${shown} of ${all} targets`;
}
