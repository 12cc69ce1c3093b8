// @ts-check
// Work that takes long is cut into slices, between which the browser does what somebody has clicked on.

const LONGEST_MILLISECONDS = 12;

export class Slices {
  #began = performance.now();

  /** Whether it is time to rest. */
  get isOver() {
    return performance.now() - this.#began > LONGEST_MILLISECONDS;
  }

  /** Let others work, and go on. */
  async rest() {
    await new Promise((resolve) => setTimeout(resolve));
    this.#began = performance.now();
  }
}
