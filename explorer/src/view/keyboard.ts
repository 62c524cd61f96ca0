/** Keys that work everywhere but where text is typed. */

import { setCorrection } from "./controls/rule_settings";
import { find } from "./dom";
import type { Explorer } from "./explorer";

export function keyboard(explorer: Explorer): void {
  const help = find<HTMLDialogElement>("help");
  find("open-help").addEventListener("click", () => help.showModal());
  help.addEventListener("click", (event) => {
    if (event.target === help) help.close();
  });
  find("skip").addEventListener("click", (event) => {
    event.preventDefault(); // what stands after # is the state
    find("inspect").focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (act(explorer, event, help)) event.preventDefault();
  });
}

function act(explorer: Explorer, event: KeyboardEvent, help: HTMLDialogElement): boolean {
  const target = event.target as HTMLElement;
  if (target.matches("textarea, select, input:not([type=range], [type=checkbox])")) return false;
  const { key } = event;
  // Space and the arrows already mean something on a control that has the focus.
  if (key === " " && !target.matches("button, summary, input[type=checkbox], [role=gridcell]")) {
    explorer.play(!explorer.playing);
  } else if (
    key === "ArrowRight" &&
    !target.matches("input, [role=slider], [role=tab], [role=gridcell]")
  ) {
    explorer.play(false);
    explorer.step();
  } else if (key === "r" || key === "R") {
    explorer.play(false);
    explorer.reset();
  } else if (key === "b" || key === "B") {
    setCorrection(explorer, explorer.shown.uncorrected);
  } else if (/^[1-6]$/.test(key)) explorer.show(Number(key) - 1);
  else if (key === "?") help.showModal();
  else return false;
  return true;
}
