// @ts-check
// The page: it asks the program every few seconds, as long as somebody looks, and shows what came of
// it. The addresses are relative, so that it works wherever a proxy puts it.

import { keepView, readView } from "./address.js";
import { COLUMNS } from "./columns.js";
import { byId } from "./dom.js";
import { Program } from "./program.js";
import { Screen } from "./screen.js";
import { applyTheme } from "./theme.js";

applyTheme();
const view = readView(location.search);
const program = new Program();
const screen = new Screen(view, program, ask);
let isPaused = false;
/** @type {number | undefined} */
let waiting;
let isAsking = false;
// What was asked before a pause is of no use after it.
let asking = new AbortController();

/** Ask the program now, and again when it is time. */
async function ask() {
  clearTimeout(waiting);
  if (isPaused || document.hidden || isAsking) return;
  isAsking = true;
  asking = new AbortController();
  const { signal } = asking;
  const began = performance.now();
  try {
    await program.look(signal);
    await screen.prepare();
    signal.throwIfAborted();
    screen.show();
    screen.connected();
  } catch (error) {
    if (!signal.aborted) screen.lost(String(error instanceof Error ? error.message : error));
  }
  isAsking = false;
  const spent = performance.now() - began;
  if (signal.aborted) void ask();
  else waiting = window.setTimeout(ask, Math.max(250, program.pause(view.every) * 1000 - spent));
}

/** Nobody looks for a while: forget what is being asked, and where the numbers were. */
function interrupt() {
  asking.abort();
  program.interrupt();
}

const pause = byId("pause", HTMLButtonElement);
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.setAttribute("aria-pressed", String(isPaused));
  screen.paused(isPaused);
  interrupt();
  void ask();
});
document.addEventListener("visibilitychange", () => {
  if (document.hidden) interrupt();
  void ask();
});
if (!COLUMNS.some((each) => each.name === view.sort)) view.sort = COLUMNS[0].name;
keepView(view);
void ask();
