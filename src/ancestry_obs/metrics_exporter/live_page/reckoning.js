// @ts-check
// Two looks come in, what happened between them goes out: the arithmetic of `live/rates.py`, by
// Prometheus' own rules. A number that is not known is null, never zero and never negative.

/** @typedef {import("./looks.js").Metric} Metric */
/** @typedef {import("./looks.js").Look} Look */

/**
 * @typedef {object} Quantile
 * @property {number} value What so many observations do not exceed.
 * @property {boolean} isLeast Whether it lies beyond the last bound, which `value` is then.
 * @property {number | null} below The first bound if it lies below that: more is not known then.
 */

export const QUANTILES = [0.5, 0.95, 0.99];

/**
 * Tell by how much a counter went up; one that fell has begun anew.
 * @param {number | null | undefined} before Not there if undefined, not known if null.
 * @param {number | null | undefined} after
 * @returns {number | null}
 */
export function increase(before, after) {
  if (after === null || after === undefined || after < 0) return null;
  if (before === undefined || (before !== null && after < before)) return after;
  return before === null ? null : after - before;
}

/**
 * Estimate a quantile, on the straight line through its bucket.
 * @param {number} share Between 0 and 1.
 * @param {number[]} bounds In ascending order, infinity last.
 * @param {number[]} counts Up to each bound.
 * @returns {Quantile | null}
 */
export function quantile(share, bounds, counts) {
  const total = counts.at(-1);
  if (!total) return null;
  const rank = share * total;
  const place = counts.findIndex((each) => each >= rank);
  const bound = bounds[place];
  if (bound === Infinity) {
    return place ? { value: bounds[place - 1], isLeast: true, below: null } : null;
  }
  const below = place ? counts[place - 1] : 0;
  const start = place ? bounds[place - 1] : Math.min(0, bound);
  const inside = counts[place] > below ? (rank - below) / (counts[place] - below) : 1;
  const isFirst = place === 0 && bound > 0;
  return { value: start + (bound - start) * inside, isLeast: false, below: isFirst ? bound : null };
}

/** The time between two looks. */
export class Interval {
  /**
   * @param {Look} before
   * @param {Look} after
   */
  constructor(before, after) {
    this.after = after;
    this.seconds = after.at - before.at;
    // A new process may have come further than the old one had: nothing of it is compared.
    const isComparable = before.begun === after.begun;
    /** @type {Map<string, Metric>} */
    this.before = isComparable ? before.metrics : new Map();
    /** @type {Metric[]} */
    this.others = isComparable ? [before.calls, before.failures] : [];
  }

  /**
   * Give how much some series went up, for each second.
   * @param {Metric} metric
   * @param {number[]} places
   * @returns {number | null}
   */
  amount(metric, places) {
    if (this.seconds <= 0) return null;
    const known = this.#earlier(metric);
    let [total, finite] = [0, 0];
    for (const place of places) {
      const step = increase(countOf(numbersAt(known, metric, place)), countOf(metric.numbers[place]));
      if (step === null) continue;
      total += step;
      finite += 1;
    }
    return finite || !places.length ? total / this.seconds : null;
  }

  /**
   * Give the quantiles of what some series of a histogram observed, all taken together.
   * @param {Metric} metric
   * @param {number[]} places
   * @returns {(Quantile | null)[]}
   */
  quantiles(metric, places) {
    const known = this.#earlier(metric);
    const { bounds } = metric;
    const together = new Array(bounds.length).fill(0);
    for (const place of places) {
      const after = metric.numbers[place];
      if (!Array.isArray(after)) continue;
      const there = numbersAt(known, metric, place);
      const before = !Array.isArray(there) || known?.bounds === bounds
        ? there : rearranged(there, known?.bounds ?? [], bounds);
      addGained(together, Array.isArray(before) ? before : [], after);
    }
    return QUANTILES.map((share) => quantile(share, bounds, together));
  }

  /** @param {Metric} metric */
  #earlier({ name }) {
    return this.before.get(name) ?? this.others.find((each) => each.name === name);
  }
}

/**
 * @param {Metric | undefined} known
 * @param {Metric} metric
 * @param {number} place
 */
function numbersAt(known, metric, place) {
  const there = known && metric.series.placeIn(known.series, place);
  return there === undefined ? undefined : known?.numbers[there];
}

/** @param {number | null | number[] | undefined} numbers Of a series; a histogram's are its buckets. */
function countOf(numbers) {
  return Array.isArray(numbers) ? sum(numbers) : numbers;
}

/**
 * Add what a histogram gained, up to each bound.
 * @param {number[]} together
 * @param {number[]} before
 * @param {number[]} after
 */
function addGained(together, before, after) {
  let [low, high] = [0, 0];
  // Buckets are one histogram: where one fell, all began anew.
  const fell = after.some((count, place) => (high += count) < (low += before[place] ?? 0));
  [low, high] = [0, 0];
  for (let place = 0; place < after.length; place += 1) {
    high += after[place];
    if (!fell) low += before[place] ?? 0;
    together[place] += high - low;
  }
}

/**
 * Put counts of buckets into buckets with other bounds: a native histogram's become more.
 * @param {number[]} counts
 * @param {number[]} bounds
 * @param {number[]} others
 */
function rearranged(counts, bounds, others) {
  const found = new Array(others.length).fill(0);
  counts.forEach((count, place) => {
    const there = others.findIndex((each) => each >= bounds[place]);
    found[there < 0 ? others.length - 1 : there] += count;
  });
  return found;
}

/**
 * Give how long a scrape took lately, or all there were, if there was none lately.
 * @param {Look} before
 * @param {Look} after
 * @returns {number | null} In seconds.
 */
export function secondsOfScrape(before, after) {
  const [count, seconds] = after.scrapes;
  const lately = before.begun === after.begun ? count - before.scrapes[0] : 0;
  if (lately > 0) return (seconds - before.scrapes[1]) / lately;
  return count ? seconds / count : null;
}

/** @param {Iterable<number>} numbers */
export function sum(numbers) {
  let total = 0;
  for (const each of numbers) total += each;
  return total;
}
