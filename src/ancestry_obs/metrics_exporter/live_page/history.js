// @ts-check
// What targets did in the last minutes; it is held here, in the browser, and bounded.

/** @typedef {{target: string, rate: number | null, failed: number | null, errors: number,
 *   quantiles: ({value: number} | null)[]}} Told */
/** @typedef {"rate" | "failed" | "errors" | "p50" | "p95" | "p99"} Field */

/** How far back it goes, in seconds. */
export const SPAN = 300;
/** The name under which all targets together stand. */
export const ALL = "";

/** @type {Field[]} */
const FIELDS = ["rate", "failed", "errors", "p50", "p95", "p99"];
// As many as there are of the shortest pause, and one that is being written.
const POINTS = 151;
const MOST_NAMES = 5000;

export class History {
  /** When each point was, in seconds; `NaN` where there is none. The newest is at `#newest`. */
  #times = new Float64Array(POINTS).fill(NaN);
  #newest = 0;
  /** @type {Map<string, Float32Array>} Of each target the points of one field after the other's. */
  #numbers = new Map();

  /**
   * Add a moment, or a gap where nothing is told; a target that is not told of any more is forgotten.
   * @param {number} at
   * @param {Iterable<Told> | null} told
   */
  add(at, told) {
    const next = (this.#newest + 1) % POINTS;
    if (told) this.#numbers = this.#kept(told);
    else for (const each of this.#numbers.values()) FIELDS.forEach((_, n) => (each[n * POINTS + next] = NaN));
    this.#times[next] = at;
    this.#newest = next;
  }

  /**
   * @param {Iterable<Told>} told
   * @returns {Map<string, Float32Array>}
   */
  #kept(told) {
    const next = (this.#newest + 1) % POINTS;
    /** @type {Map<string, Float32Array>} */
    const kept = new Map();
    for (const { target, rate, failed, errors, quantiles } of told) {
      if (kept.size === MOST_NAMES) break;
      const points = this.#numbers.get(target) ?? new Float32Array(FIELDS.length * POINTS).fill(NaN);
      kept.set(target, points);
      points[next] = rate ?? NaN;
      points[POINTS + next] = failed ?? NaN;
      points[2 * POINTS + next] = errors;
      for (let place = 0; place < 3; place += 1) {
        points[(3 + place) * POINTS + next] = quantiles[place]?.value ?? NaN;
      }
    }
    return kept;
  }

  /** When the newest point was. */
  get now() {
    return this.#times[this.#newest];
  }

  /**
   * Visit the points of a target, the oldest first; a number that is not known is `NaN`.
   * @param {string} target
   * @param {Field} field
   * @param {(time: number, number: number) => void} visit
   */
  visit(target, field, visit) {
    const points = this.#numbers.get(target);
    if (!points) return;
    const first = FIELDS.indexOf(field) * POINTS;
    for (let step = 2; step <= POINTS; step += 1) {
      const place = (this.#newest + step) % POINTS;
      visit(this.#times[place], points[first + place]);
    }
  }

  /**
   * Give the newest number of a target.
   * @param {string} target
   * @param {Field} field
   */
  latest(target, field) {
    return this.#numbers.get(target)?.[FIELDS.indexOf(field) * POINTS + this.#newest] ?? NaN;
  }
}
