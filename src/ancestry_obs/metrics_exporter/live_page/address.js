// @ts-check
// What a person has made of the view stands in the address: it outlives a reload, and can be sent to
// somebody. The theme is this browser's own.

/**
 * @typedef {object} View
 * @property {string} words What a target's row has to have in it.
 * @property {string} state A state, or nothing for all.
 * @property {string} way How it is woven, or nothing for all.
 * @property {string} sort The column.
 * @property {boolean} isReversed
 * @property {number} page From 1.
 * @property {string} target Whose details are open; nothing for none.
 * @property {number} every Seconds from one look to the next.
 */

/** @type {View} */
const DEFAULTS = {
  words: "",
  state: "",
  way: "",
  sort: "state",
  isReversed: false,
  page: 1,
  target: "",
  every: 2,
};
/** @type {Record<keyof View, string>} */
const NAMES = {
  words: "q",
  state: "state",
  way: "woven",
  sort: "sort",
  isReversed: "reverse",
  page: "page",
  target: "target",
  every: "every",
};
const KEYS = /** @type {(keyof View)[]} */ (Object.keys(DEFAULTS));
const MOST_SECONDS = 600;

/**
 * @param {string} query What follows the question mark.
 * @returns {View}
 */
export function readView(query) {
  const found = new URLSearchParams(query);
  const text = (/** @type {keyof View} */ key) => found.get(NAMES[key]) ?? String(DEFAULTS[key]);
  const number = (/** @type {keyof View} */ key, /** @type {number} */ least) => {
    const read = Number(text(key));
    return read >= least ? Math.min(read, MOST_SECONDS) : Number(DEFAULTS[key]);
  };
  return {
    words: text("words"),
    state: text("state"),
    way: text("way"),
    sort: text("sort"),
    isReversed: text("isReversed") === "true",
    page: Math.floor(number("page", 1)),
    target: text("target"),
    every: number("every", 1),
  };
}

/**
 * @param {View} view
 * @returns {string} The query, without what is as it is by itself.
 */
export function writeView(view) {
  const query = new URLSearchParams();
  for (const key of KEYS) {
    if (view[key] !== DEFAULTS[key]) query.set(NAMES[key], String(view[key]));
  }
  return query.toString();
}

/**
 * Put the view into the address; the way back leads to the page before this one.
 * @param {View} view
 */
export function keepView(view) {
  const query = writeView(view);
  history.replaceState(null, "", `${location.pathname}${query && `?${query}`}${location.hash}`);
}
