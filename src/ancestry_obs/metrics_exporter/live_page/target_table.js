// @ts-check
// The table of targets: rows come in, those of one page are shown. There is never more of it in the
// document than a page has, and of that only what has changed is touched. Rows are used again for
// other targets: to make one takes longer than to change it.

import { NumberText, StateText } from "./cells.js";
import { COLUMNS, sorted } from "./columns.js";
import { Details } from "./details.js";
import { byId, make, setAttribute, setChildren, setName } from "./dom.js";
import { Drawing } from "./lines.js";
import { Slices } from "./slices.js";

/** @typedef {import("./rows.js").Row} Row */
/** @typedef {import("./columns.js").Column} Column */
/** @typedef {import("./history.js").History} History */
/** @typedef {import("./address.js").View} View */

export const PAGE_ROWS = 100;

/** The row of one target. */
class TargetRow {
  #name = make("bdi");
  button = make("button", { type: "button", class: "open", "aria-expanded": "false" }, this.#name);
  element = make("tr");
  #target = "";
  #isOpen = false;
  /** @type {((row: Row, history: History) => void)[]} */
  #cells;

  /** @param {(target: string) => void} open */
  constructor(open) {
    this.#cells = COLUMNS.map((column) => this.#cell(column));
    this.button.addEventListener("click", () => open(this.#target));
  }

  /**
   * @param {Row} row
   * @param {History} history
   * @param {boolean} isOpen
   */
  set(row, history, isOpen) {
    if (row.target !== this.#target) {
      this.#target = row.target;
      this.element.dataset.target = row.target;
      setName(this.#name, row.target);
    }
    if (isOpen !== this.#isOpen) {
      this.#isOpen = isOpen;
      this.button.ariaExpanded = String(isOpen);
    }
    for (const each of this.#cells) each(row, history);
  }

  /** @param {Column} column */
  #cell(column) {
    const cell = make(column.name === "target" ? "th" : "td", { class: column.name });
    this.element.append(cell);
    if (column.name === "target") {
      cell.setAttribute("scope", "row");
      // Where there is no room for a column of states, they stand below the names.
      const state = new StateText();
      cell.append(this.button, make("div", { class: "narrow" }, state.element));
      return (/** @type {Row} */ row) => {
        state.set(row.state);
      };
    }
    if (column.name === "state") {
      const state = new StateText();
      cell.append(state.element);
      return (/** @type {Row} */ row) => state.set(row.state);
    }
    const { text, shown } = column;
    if (text) {
      const words = make("bdi");
      let said = "";
      cell.append(words);
      return (/** @type {Row} */ row) => {
        const now = text(row);
        if (now !== said) words.textContent = said = now;
      };
    }
    return this.#numberCell(cell, column, shown);
  }

  /**
   * @param {HTMLElement} cell
   * @param {Column} column
   * @param {Column["shown"]} shown
   */
  #numberCell(cell, { line, name, key }, shown) {
    const number = new NumberText();
    /** @type {boolean | undefined} */
    let wasZero;
    cell.classList.add("numeric");
    const drawing = line && new Drawing([line], [name]);
    if (drawing) cell.append(drawing.element);
    cell.append(number.element);
    return (/** @type {Row} */ row, /** @type {History} */ history) => {
      if (!shown) return;
      number.set(shown(row));
      const isZero = !Number(key(row));
      if (isZero !== wasZero) cell.dataset.zero = String(isZero);
      wasZero = isZero;
      drawing?.set(history, row.target);
    };
  }
}

export class TargetTable {
  #body = byId("rows", HTMLTableSectionElement);
  #heads = byId("heads", HTMLTableRowElement);
  /** @type {Map<string, TargetRow>} */
  #rows = new Map();
  /** @type {TargetRow[]} Those that are of no target. */
  #spare = [];
  /** @type {string[]} */
  #order = [];
  #details = new Details(COLUMNS.length);

  /**
   * @param {(column: string) => void} sortBy
   * @param {(target: string) => void} open
   */
  constructor(sortBy, open) {
    this.open = open;
    for (const each of COLUMNS) {
      const button = make("button", { type: "button", title: each.title }, each.head);
      button.addEventListener("click", () => sortBy(each.name));
      const kind = each.shown ? `${each.name} numeric` : each.name;
      this.#heads.append(make("th", { scope: "col", class: kind }, button));
    }
  }

  /**
   * Make the rows that so many targets need.
   * @param {number} targets
   */
  async prepare(targets) {
    const slices = new Slices();
    while (this.#rows.size + this.#spare.length < Math.min(targets, PAGE_ROWS)) {
      if (slices.isOver) await slices.rest();
      this.#spare.push(new TargetRow(this.open));
    }
  }

  /**
   * Show the rows that the view has.
   * @param {Row[]} rows All targets.
   * @param {View} view
   * @param {History} history
   * @param {import("./rows.js").Status} status
   * @param {boolean} isNew Whether the view is another one than before.
   * @returns {{matching: Row[], pages: number}}
   */
  show(rows, view, history, status, isNew) {
    const matching = rows.filter((each) => isMeant(each, view));
    const ordered = this.#ordered(matching, view, isNew);
    const pages = Math.max(1, Math.ceil(ordered.length / PAGE_ROWS));
    const first = (Math.min(view.page, pages) - 1) * PAGE_ROWS;
    this.#markHeads(view);
    this.#fill(ordered.slice(first, first + PAGE_ROWS), view, history, status);
    return { matching: ordered, pages };
  }

  /**
   * Tell where the view's target stands among the rows that are meant; -1 if it does not.
   * @param {Row[]} rows
   * @param {View} view
   */
  placeOf(rows, view) {
    const meant = rows.filter((each) => isMeant(each, view));
    const ordered = sorted(meant, view.sort, view.isReversed);
    return ordered.findIndex((each) => each.target === view.target);
  }

  /**
   * Give the focus to a target's name, if it is shown.
   * @param {string} target
   */
  focus(target) {
    this.#rows.get(target)?.button.focus();
  }

  /**
   * Sort, unless somebody is about to choose a row: it stays where it is then.
   * @param {Row[]} rows
   * @param {View} view
   * @param {boolean} isNew
   */
  #ordered(rows, view, isNew) {
    const isHeld = this.#body.matches(":hover") || this.#body.contains(document.activeElement);
    const fresh = sorted(rows, view.sort, view.isReversed);
    if (isHeld && !isNew) {
      const places = new Map(this.#order.map((target, place) => [target, place]));
      const placeOf = (/** @type {Row} */ row) => places.get(row.target) ?? Infinity;
      fresh.sort((one, other) => placeOf(one) - placeOf(other) || 0);
    }
    this.#order = fresh.map((each) => each.target);
    return fresh;
  }

  /**
   * @param {Row[]} rows
   * @param {View} view
   * @param {History} history
   * @param {import("./rows.js").Status} status
   */
  #fill(rows, view, history, status) {
    /** @type {Map<string, TargetRow>} */
    const kept = new Map();
    /** @type {Element[]} */
    const elements = [];
    this.#spare.push(...this.#outOfUse(rows));
    for (const row of rows) {
      const isOpen = row.target === view.target;
      const shown = this.#rows.get(row.target) ?? this.#spare.pop() ?? new TargetRow(this.open);
      kept.set(row.target, shown);
      shown.set(row, history, isOpen);
      elements.push(shown.element);
      if (isOpen) {
        this.#details.set(row, history, status);
        elements.push(this.#details.element);
      }
    }
    this.#rows = kept;
    setChildren(this.#body, elements);
  }

  /**
   * Give the rows of targets that are not shown any more, but not the one that has the focus.
   * @param {Row[]} rows
   */
  #outOfUse(rows) {
    const shown = new Set(rows.map((each) => each.target));
    const rest = [...this.#rows].filter(([target]) => !shown.has(target)).map(([, each]) => each);
    return rest.filter(({ element }) => !element.contains(document.activeElement)).reverse();
  }

  /** @param {View} view */
  #markHeads(view) {
    COLUMNS.forEach((each, place) => {
      const isDescending = Boolean(each.shown) !== view.isReversed;
      const sort = each.name !== view.sort ? "none" : isDescending ? "descending" : "ascending";
      setAttribute(this.#heads.children[place], "aria-sort", sort);
    });
  }
}

/**
 * Tell whether a row is among those that a person wants to see.
 * @param {Row} row
 * @param {View} view
 */
export function isMeant(row, view) {
  if (view.state && row.state !== view.state) return false;
  if (view.way && row.way !== view.way) return false;
  if (!view.words) return true;
  const text = [row.target, row.state, row.way, row.place, row.reason].join(" ").toLowerCase();
  return view.words.toLowerCase().split(/\s+/).every((word) => text.includes(word));
}
