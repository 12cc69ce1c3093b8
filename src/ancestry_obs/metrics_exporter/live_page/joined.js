// @ts-check
// What feeds what: targets and feeds of a status come in, each target's series go out; as
// `live/joined.py` has it for the terminal.

/** @typedef {import("./looks.js").Metric} Metric */
/** @typedef {import("./looks.js").Series} Series */
/** @typedef {import("./reckoning.js").Interval} Interval */
/** @typedef {import("./reckoning.js").Quantile} Quantile */

/**
 * @typedef {object} Feed One record of the map, as `feeds.py` tells it.
 * @property {string} pattern
 * @property {string} metric
 * @property {Record<string, string>} constants
 * @property {Record<string, string[]>} failing
 * @property {string} on
 * @property {boolean} is_duration
 */

/** @typedef {{target: string, state: string, calls: number, patterns: string[]}} Target */

/**
 * What is told of a target by its feeds.
 * @typedef {object} Fed
 * @property {Feed[]} feeds
 * @property {Feeding | null} timed What times its calls.
 * @property {Feeding[]} failing What tells which of them failed; one call may feed several.
 */

const NONE = [null, null, null];
const GOING_UP = new Set(["counter", "histogram"]);
const UNCALLED = new Set(["error", "idle", "pending"]);
/** @type {Fed} */
const UNFED = { feeds: [], timed: null, failing: [] };

/** Which feeds are each target's. */
export class Joined {
  /** @type {Map<string, Fed>} */
  #fed = new Map();

  /**
   * @param {Target[]} targets
   * @param {Feed[]} feeds
   */
  constructor(targets, feeds) {
    const byPattern = Map.groupBy(feeds, (each) => each.pattern);
    const places = new Map(feeds.map((each) => [each, new Place(each)]));
    /** @type {Map<string, {place: Place, names: Set<string>}>} */
    const users = new Map();
    const own = targets.map((each) => each.patterns.flatMap((pattern) => byPattern.get(pattern) ?? []));
    targets.forEach(({ target, state, calls }, number) => {
      // What has no calls feeds nothing that others could be mistaken for. What is an error in one
      // process may have them in another.
      for (const feed of calls || !UNCALLED.has(state) ? own[number] : []) {
        const place = /** @type {Place} */ (places.get(feed));
        const found = users.get(place.text) ?? { place, names: new Set() };
        users.set(place.text, found);
        found.names.add(target);
      }
    });
    const feedings = new Feedings(sharedOf(users));
    targets.forEach(({ target }, number) => {
      const placed = own[number].map((each) => /** @type {Place} */ (places.get(each)));
      this.#fed.set(target, feedings.fed(own[number], placed));
    });
  }

  /**
   * @param {string} target
   * @returns {Fed}
   */
  of(target) {
    return this.#fed.get(target) ?? UNFED;
  }
}

/** Where a feed's observations go: a metric, and what the feed's constant labels are there. */
class Place {
  /** @param {Feed} feed */
  constructor(feed) {
    this.feed = feed;
    this.names = Object.keys(feed.constants).sort();
    this.values = this.names.map((name) => feed.constants[name]);
    this.text = JSON.stringify([feed.metric, this.names, this.values]);
  }
}

/** Finds the series of a metric that have some labels, without a look at each every time. */
class Index {
  /** @type {Map<string, {series: Series, found: Map<string, number[]>}>} */
  #known = new Map();

  /**
   * @param {Metric} metric
   * @param {Place} place
   */
  of({ name, series }, { names, values }) {
    const key = JSON.stringify([name, names]);
    let known = this.#known.get(key);
    if (known?.series !== series) {
      known = { series, found: byValues(series, names) };
      this.#known.set(key, known);
    }
    return known.found.get(JSON.stringify(values)) ?? [];
  }
}

/** Some feeds of one metric, taken together. What they tell of an interval is reckoned once. */
export class Feeding {
  /** @type {Series | undefined} */
  #series;
  /** @type {number[]} */
  #found = [];
  /** @type {Interval | undefined} */
  #interval;
  /** @type {number | null | undefined} */
  #amount;
  /** @type {(Quantile | null)[] | undefined} */
  #quantiles;

  /**
   * @param {Place[]} places
   * @param {Set<string>} shared
   * @param {Index} index
   * @param {boolean} isOfFailures Whether only failed calls are meant.
   */
  constructor(places, shared, index, isOfFailures) {
    this.metric = places[0].feed.metric;
    /** Whether other targets observe into the same series. */
    this.isShared = places.some((each) => shared.has(each.text));
    this.places = places;
    this.index = index;
    this.isOfFailures = isOfFailures;
    /** Which series of the metric they feed, as a text. */
    this.series = "";
  }

  /**
   * Give how often they were fed, for each second; null if that is not known.
   * @param {Interval} interval
   */
  amount(interval) {
    const metric = this.#metricIn(interval);
    if (!metric || !GOING_UP.has(metric.kind)) return null;
    return (this.#amount ??= interval.amount(metric, this.#placesIn(metric)));
  }

  /**
   * Give the quantiles of what they were fed.
   * @param {Interval} interval
   */
  quantiles(interval) {
    const metric = this.#metricIn(interval);
    if (!metric) return NONE;
    return (this.#quantiles ??= interval.quantiles(metric, this.#placesIn(metric)));
  }

  /** @param {Interval} interval */
  #metricIn(interval) {
    if (interval !== this.#interval) {
      this.#interval = interval;
      this.#amount = this.#quantiles = undefined;
    }
    return interval.after.metrics.get(this.metric);
  }

  /** @param {Metric} metric */
  #placesIn(metric) {
    if (metric.series !== this.#series) {
      this.#series = metric.series;
      const found = this.places.flatMap((each) => {
        const all = this.index.of(metric, each);
        return this.isOfFailures ? failed(all, metric, each.feed) : all;
      });
      this.#found = [...new Set(found)];
      this.series = `${metric.name} ${[...this.#found].sort().join()}`;
    }
    return this.#found;
  }
}

/** Makes what feeds targets; those that feed the same are one. */
class Feedings {
  #index = new Index();
  /** @type {Map<string, Feeding>} */
  #known = new Map();

  /** @param {Set<string>} shared */
  constructor(shared) {
    this.shared = shared;
  }

  /**
   * @param {Place[]} places
   * @param {boolean} isOfFailures
   */
  of(places, isOfFailures) {
    const told = places.map(({ text, feed }) => [text, isOfFailures && Object.entries(feed.failing)]);
    const key = JSON.stringify(told);
    let known = this.#known.get(key);
    if (!known) {
      known = new Feeding(places, this.shared, this.#index, isOfFailures);
      this.#known.set(key, known);
    }
    return known;
  }

  /**
   * @param {Feed[]} feeds Of one target.
   * @param {Place[]} placed The same, with their places.
   * @returns {Fed}
   */
  fed(feeds, placed) {
    const first = feeds.find((each) => each.is_duration)?.metric;
    const timed = placed.filter(({ feed }) => feed.is_duration && feed.metric === first);
    const failing = [...Map.groupBy(placed, (each) => each.feed.metric).values()].flatMap((group) => {
      const telling = group.every(({ feed }) => feed.on === "raise")
        ? group
        : group.filter(({ feed }) => Object.keys(feed.failing).length);
      return telling.length ? [this.of(telling, true)] : [];
    });
    return { feeds, failing, timed: timed.length ? this.of(timed, false) : null };
  }
}

/** @typedef {{place: Place, names: Set<string>}} Used A place, and the targets that feed it. */

/**
 * Give the places, as texts, that more than one target observes into.
 * @param {Map<string, Used>} users By place.
 */
function sharedOf(users) {
  /** @type {Set<string>} */
  const shared = new Set();
  for (const [text, { names }] of users) if (names.size > 1) shared.add(text);
  for (const group of Map.groupBy(users.values(), ({ place }) => place.feed.metric).values()) {
    // Where the same labels are constant, other values are other series.
    const alike = [...Map.groupBy(group, ({ place }) => place.names.join()).values()];
    alike.forEach((some, number) => {
      for (const others of alike.slice(number + 1)) {
        for (const text of meeting(some, others)) shared.add(text);
      }
    });
  }
  return shared;
}

/**
 * Yield the places that have series in common with one on the other side, of another target.
 * @param {Used[]} some With the same constant labels.
 * @param {Used[]} others The same.
 */
function* meeting(some, others) {
  const names = some[0].place.names.filter((each) => others[0].place.names.includes(each));
  const sides = [some, others].map((side) =>
    Map.groupBy(side, ({ place }) => JSON.stringify(names.map((name) => place.feed.constants[name]))),
  );
  for (const [one, other] of [sides, sides.toReversed()]) {
    for (const [values, here] of one) {
      const there = new Set(other.get(values)?.flatMap((each) => [...each.names]));
      for (const { place, names: own } of there.size ? here : []) {
        if (there.size > 1 || own.size > 1 || !there.isSubsetOf(own)) yield place.text;
      }
    }
  }
}

/**
 * Keep the series of failed calls; all where the feed has no label that tells them apart.
 * @param {number[]} places
 * @param {Metric} metric
 * @param {Feed} feed
 */
function failed(places, { series }, feed) {
  const values = Object.entries(feed.failing);
  if (!values.length) return places;
  return places.filter((place) =>
    values.some(([name, failures]) => {
      const value = series.values[place][series.names.indexOf(name)] ?? "";
      return failures.includes(value);
    }),
  );
}

/**
 * @param {Series} series
 * @param {string[]} names
 */
function byValues(series, names) {
  /** @type {Map<string, number[]>} */
  const found = new Map();
  const columns = names.map((name) => series.names.indexOf(name));
  if (columns.includes(-1)) return found;
  series.values.forEach((values, place) => {
    const key = JSON.stringify(columns.map((column) => values[column]));
    const group = found.get(key);
    if (group) group.push(place);
    else found.set(key, [place]);
  });
  return found;
}
