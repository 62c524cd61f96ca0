/** Light, dark, or as the system has it. */

import type { Theme } from "../state";
import { find } from "./dom";
import type { Explorer } from "./explorer";

export function theme(explorer: Explorer): void {
  const choice = find<HTMLSelectElement>("theme");
  choice.addEventListener("change", () => explorer.set("theme", choice.value as Theme));
  explorer.on(["theme"], () => {
    const { theme: chosen } = explorer.state;
    choice.value = chosen;
    if (chosen === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = chosen;
  });
}
