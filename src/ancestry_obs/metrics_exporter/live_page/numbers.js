// @ts-check
// Numbers come in, what a person reads goes out: three digits and a unit, apart from each other so
// that they stand in columns.

/** @typedef {{number: string, unit: string}} Shown */

/** @type {Shown} */
export const NOTHING = { number: "–", unit: "" };
const THOUSANDS = ["", "k", "M", "G", "T", "P"];
/** @type {[number, string][]} */
const SECONDS = [
  [1e9, "ns"],
  [1e6, "µs"],
  [1e3, "ms"],
  [1, "s"],
];

/**
 * @param {number | null | undefined} number
 * @returns {Shown}
 */
export function shownNumber(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return NOTHING;
  if (!Number.isFinite(number)) return { number: number > 0 ? "∞" : "-∞", unit: "" };
  let [size, power] = [Math.abs(number), 0];
  while (size >= 999.5 && power < THOUSANDS.length - 1) [size, power] = [size / 1000, power + 1];
  return { number: (number < 0 ? "-" : "") + digits(size), unit: THOUSANDS[power] };
}

/**
 * @param {number | null | undefined} seconds
 * @returns {Shown}
 */
export function shownSeconds(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return NOTHING;
  if (seconds >= 600) return { number: digits(seconds / 60), unit: "min" };
  for (const [factor, unit] of SECONDS) {
    if (Math.abs(seconds) * factor < 999.5 || unit === "s") {
      return { number: digits(seconds * factor), unit };
    }
  }
  return NOTHING;
}

/**
 * @param {number | null | undefined} share
 * @returns {Shown}
 */
export function shownShare(share) {
  if (share === null || share === undefined || !Number.isFinite(share)) return NOTHING;
  return { number: digits(share * 100), unit: "%" };
}

/** @param {Shown} shown */
export function textOf({ number, unit }) {
  return unit ? `${number} ${unit}` : number;
}

/**
 * @param {number} size
 * @returns {string} Three digits at most.
 */
function digits(size) {
  if (size === 0 || Number.isInteger(size)) return size.toFixed(0);
  const whole = Math.abs(size);
  if (whole < 0.005) return size < 0 ? ">-.01" : "<.01";
  return size.toFixed(whole >= 99.95 ? 0 : whole >= 9.995 ? 1 : 2);
}
