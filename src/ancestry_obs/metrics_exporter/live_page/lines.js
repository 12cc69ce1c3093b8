// @ts-check
// Numbers over time come in, small lines go out. They are drawn in a box of their own measure, which
// the style sheet stretches to whatever place there is. What nobody sees is not drawn: out of the
// window, or where the style sheet has no place for it.

import { SPAN } from "./history.js";
import { draw } from "./dom.js";

/** @typedef {import("./history.js").History} History */
/** @typedef {import("./history.js").Field} Field */

const [WIDTH, HEIGHT] = [1000, 200];
// So far beyond the window lines are ready for who scrolls, in pixels.
const BEYOND = "200px";

/** @type {WeakMap<Element, Drawing>} */
const drawings = new WeakMap();
const observer = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) drawings.get(target)?.show(isIntersecting);
  },
  { rootMargin: BEYOND },
);

/** Lines of one target, all to one measure from zero on. */
export class Drawing {
  #paths;
  /** @type {string[]} */
  #drawn;
  /** @type {boolean | undefined} */
  #isFlat;
  #isSeen = false;
  #isDrawn = true;
  /** @type {History | null} */
  #history = null;
  #target = "";

  /**
   * @param {Field[]} fields What each line is of; the style sheet calls it the same.
   * @param {string[]} kinds What the style sheet calls them otherwise.
   * @param {Record<string, string>} attributes
   */
  constructor(fields, kinds = fields, attributes = { "aria-hidden": "true" }) {
    this.fields = fields;
    this.#paths = kinds.map((kind) => draw("path", { class: `line ${kind}`, d: "" }));
    this.#drawn = kinds.map(() => "");
    const viewBox = `0 -8 ${WIDTH} ${HEIGHT + 16}`;
    this.element = draw("svg", { viewBox, preserveAspectRatio: "none", ...attributes }, ...this.#paths);
    drawings.set(this.element, this);
    observer.observe(this.element);
  }

  /**
   * Draw what a history has of a target, as soon as that is seen.
   * @param {History} history
   * @param {string} target
   */
  set(history, target) {
    this.#history = history;
    this.#target = target;
    this.#isDrawn = false;
    if (this.#isSeen) this.#draw();
  }

  /** @param {boolean} isSeen */
  show(isSeen) {
    this.#isSeen = isSeen;
    if (isSeen && !this.#isDrawn) this.#draw();
  }

  #draw() {
    const history = this.#history;
    if (!history) return;
    const top = topOf(history, this.#target, this.fields);
    this.#paths.forEach((path, place) => {
      const drawn = pathOf(history, this.#target, this.fields[place], top);
      if (drawn !== this.#drawn[place]) path.setAttribute("d", drawn);
      this.#drawn[place] = drawn;
    });
    if ((top === 0) !== this.#isFlat) this.element.dataset.flat = String(top === 0);
    this.#isFlat = top === 0;
    this.#isDrawn = true;
  }
}

/**
 * Give the greatest of the numbers that lines have; zero if there is none.
 * @param {History} history
 * @param {string} target
 * @param {Field[]} fields
 */
export function topOf(history, target, fields) {
  let top = 0;
  for (const each of fields) {
    history.visit(target, each, (_, number) => {
      if (number > top) top = number;
    });
  }
  return top;
}

/**
 * @param {History} history
 * @param {string} target
 * @param {Field} field
 * @param {number} top
 */
function pathOf(history, target, field, top) {
  const { now } = history;
  let path = "";
  let isDown = false;
  // Where a line is level only its ends are drawn.
  let [level, end] = [NaN, NaN];
  const finish = () => {
    if (!Number.isNaN(end)) path += `H${end}`;
    end = NaN;
  };
  history.visit(target, field, (time, number) => {
    const x = Math.round((1 - (now - time) / SPAN) * WIDTH);
    if (Number.isNaN(number) || !(x >= 0)) {
      finish();
      isDown = false;
      return;
    }
    const y = HEIGHT - (top ? Math.round((number / top) * HEIGHT) : 0);
    if (isDown && y === level) {
      end = x;
      return;
    }
    finish();
    // A point that stands alone is a line of no length, with round ends.
    path += isDown ? `L${x} ${y}` : `M${x} ${y}h0`;
    isDown = true;
    level = y;
  });
  finish();
  return path;
}
