// @ts-check
// One look at the program: what its page `numbers` answers comes in, metrics go out whose series keep
// their places from one look to the next, as long as series only become more.

/**
 * What `collector/live_numbers.py` writes; lists of targets and counts have the number at their end.
 * @typedef {object} Answer
 * @property {string} begun
 * @property {string[]} wrong What `/status` has against the map, the exporter and the end.
 * @property {number} processes
 * @property {[number, number]} scrapes How many there were, and how many seconds they took.
 * @property {number | null} overhead
 * @property {string[]} sampled
 * @property {[string, string, string, number][]} failures
 * @property {[string, string, number][]} overflows
 * @property {[string, string, number][]} targets
 * @property {MetricAnswer[]} metrics
 * @property {number} spent
 */

/**
 * @typedef {object} MetricAnswer
 * @property {string} name
 * @property {string} kind
 * @property {string[]} labels
 * @property {number[]} bounds
 * @property {string[][]} series
 * @property {Numbers} numbers
 */

/**
 * Of each series a counter's number, or the counts of a histogram's buckets, not added up. Nothing is
 * known of an endless one.
 * @typedef {(number | null | number[])[]} Numbers
 */

/**
 * @typedef {object} Metric
 * @property {string} name
 * @property {string} kind `counter`, `histogram`, or what the page needs no numbers of.
 * @property {Series} series
 * @property {number[]} bounds Of a histogram; the last one is infinite.
 * @property {Numbers} numbers In the order of the series.
 */

/**
 * @typedef {object} Look
 * @property {number} at When, in seconds.
 * @property {string} begun Another one where the program has begun anew.
 * @property {number} processes
 * @property {[number, number]} scrapes
 * @property {number | null} overhead
 * @property {number} spent How many seconds of a processor the answer took.
 * @property {[string, string, number][]} targets Each with its state, and its calls so far.
 * @property {[string, string, number][]} overflows By metric and label.
 * @property {Metric} calls Of each target, in their order.
 * @property {Metric} failures Of expressions, by target, metric and label.
 * @property {Map<string, Metric>} metrics Of the map, by name.
 * @property {string} told What the page `/status` follows from.
 */

// The two that are no metric of the map, and have names that none of it can have.
const CALLS = " calls";
const FAILURES = " failures";

/** The series of a metric: the values of its labels, each in its place. */
export class Series {
  /** @type {Map<string, number> | undefined} */
  #places;
  /** @type {Map<string, number>} */
  #used = new Map();

  /**
   * @param {string[]} names Of the labels.
   * @param {string[][]} values Of each series.
   * @param {object} lineage The same where places are the same.
   */
  constructor(names, values, lineage = {}) {
    this.names = names;
    this.values = values;
    this.lineage = lineage;
  }

  /**
   * Give what has come of them: these themselves, where nothing has.
   * @param {string[]} names
   * @param {string[][]} values
   */
  followedBy(names, values) {
    const shared = Math.min(values.length, this.values.length);
    const isAlike = names.length === this.names.length && names.every((each, n) => each === this.names[n]);
    if (!isAlike || !haveBeginning(this.values, values, shared, names.length)) {
      return new Series(names, values);
    }
    return values.length === this.values.length ? this : new Series(names, values, this.lineage);
  }

  /**
   * Give where others have the series of a place of these.
   * @param {Series} others
   * @param {number} place
   * @returns {number | undefined}
   */
  placeIn(others, place) {
    if (others.lineage === this.lineage) return place;
    others.#places ??= new Map(others.values.map((each, number) => [JSON.stringify(each), number]));
    return others.#places.get(JSON.stringify(this.values[place]));
  }

  /**
   * Give how many values of a label count towards its limit.
   * @param {string} label
   */
  used(label) {
    let known = this.#used.get(label);
    if (known === undefined) {
      const column = this.names.indexOf(label);
      const values = new Set(column < 0 ? [] : this.values.map((each) => each[column]));
      // These two are possible beside the limit, and `other` is what is beyond it.
      values.delete("other");
      values.delete("error");
      known = values.size;
      this.#used.set(label, known);
    }
    return known;
  }
}

/**
 * @param {string[][]} some
 * @param {string[][]} others
 * @param {number} length
 * @param {number} width
 */
function haveBeginning(some, others, length, width) {
  for (let place = 0; place < length; place += 1) {
    for (let column = 0; column < width; column += 1) {
      if (some[place][column] !== others[place][column]) return false;
    }
  }
  return true;
}

/** Reads one answer after the other; series and bounds that are as they were are kept. */
export class Reader {
  /** @type {Map<string, Metric>} */
  #before = new Map();

  /**
   * @param {Answer} answer
   * @param {number} at
   * @returns {Look}
   */
  read(answer, at) {
    /** @type {Map<string, Metric>} */
    const read = new Map();
    const { targets, failures } = answer;
    const calls = this.#counter(CALLS, ["target"], targets);
    const failed = this.#counter(FAILURES, ["target", "metric", "label"], failures);
    for (const each of [calls, failed]) read.set(each.name, each);
    const metrics = answer.metrics.map((each) => this.#metric(each));
    for (const each of metrics) read.set(each.name, each);
    this.#before = read;
    const { begun, wrong, processes, scrapes, overhead, overflows, sampled, spent } = answer;
    const told = [wrong, processes, sampled, metrics.map(({ name }) => name), targets.map(([, state]) => state)];
    return {
      at, begun, processes, scrapes, overhead, spent, targets, overflows, calls, failures: failed,
      metrics: new Map(metrics.map((each) => [each.name, each])),
      told: JSON.stringify([...told, calls.series.values]),
    };
  }

  /**
   * @param {string} name
   * @param {string[]} labels
   * @param {[...string[], number][]} counted
   */
  #counter(name, labels, counted) {
    const series = /** @type {string[][]} */ (counted.map((each) => each.slice(0, -1)));
    const numbers = counted.map((each) => Number(each[each.length - 1]));
    return this.#metric({ name, kind: "counter", labels, bounds: [], series, numbers });
  }

  /**
   * @param {MetricAnswer} answer
   * @returns {Metric}
   */
  #metric({ name, kind, labels, bounds, series, numbers }) {
    const before = this.#before.get(name);
    const all = [...bounds, Infinity];
    const areKept = before?.bounds.length === all.length && all.every((each, n) => each === before.bounds[n]);
    return {
      name, kind, numbers,
      series: before ? before.series.followedBy(labels, series) : new Series(labels, series),
      bounds: areKept ? before.bounds : all,
    };
  }
}
