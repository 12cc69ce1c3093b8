// @ts-check
// What stands in more than one place of the page: a number with its unit, a state. Each knows what it
// says, so that the document is touched where that changes, and not asked.

import { make } from "./dom.js";

/** @typedef {import("./numbers.js").Shown} Shown */

/** A number that stands in a column: its digits at the right of their place, its unit beside it. */
export class NumberText {
  #mark = make("span", { class: "mark" });
  #digits = make("span", { class: "digits" });
  #unit = make("span", { class: "unit" });
  #said = { number: "", unit: "", mark: "" };
  element = make("span", { class: "number" }, this.#mark, this.#digits, this.#unit);

  /** @param {Shown & {mark?: string}} shown */
  set({ number, unit, mark = "" }) {
    const said = this.#said;
    if (said.mark !== mark) this.#mark.textContent = mark;
    if (said.number !== number) this.#digits.textContent = number;
    if (said.unit !== unit) this.#unit.textContent = unit && ` ${unit}`;
    this.#said = { number, unit, mark };
  }
}

/** A state: a sign, a colour and a word. */
export class StateText {
  #word = make("span");
  #said = "";
  element = make("span", { class: "badge" }, this.#word);

  /** @param {string} state */
  set(state) {
    if (state === this.#said) return;
    this.#said = state;
    this.element.dataset.state = state;
    this.#word.textContent = state;
  }
}
