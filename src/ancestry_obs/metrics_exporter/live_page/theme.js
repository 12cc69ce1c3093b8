// @ts-check
// Dark or light: as the system has it, or as a person has chosen in this browser.

import { byId } from "./dom.js";

const KEY = "ancestry-obs-theme";

/** Take up what was chosen, and what will be. */
export function applyTheme() {
  const choice = byId("theme", HTMLSelectElement);
  choice.value = kept();
  document.documentElement.dataset.theme = choice.value;
  choice.addEventListener("change", () => {
    document.documentElement.dataset.theme = choice.value;
    try {
      localStorage.setItem(KEY, choice.value);
    } catch {
      // A browser may keep nothing; the page is as it was chosen until it is left.
    }
  });
}

function kept() {
  try {
    const theme = localStorage.getItem(KEY) ?? "";
    return ["light", "dark"].includes(theme) ? theme : "";
  } catch {
    return "";
  }
}
