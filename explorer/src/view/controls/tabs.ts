/** The tabs: one panel is seen, the others are hidden and at rest. */

import type { PANELS } from "../../state";
import { find } from "../dom";
import type { Explorer } from "../explorer";

export function tabs(explorer: Explorer): void {
  const list = find("tabs");
  // In the order of the page, for the arrow keys.
  const names = [...list.children].map((tab) => tab.id.replace("tab-", "") as (typeof PANELS)[number]);
  for (const name of names)
    find(`tab-${name}`).addEventListener("click", () => explorer.set("panel", name));
  list.addEventListener("keydown", (event) => {
    const here = names.indexOf(explorer.state.panel);
    const to = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    const name = names.at(to % names.length) as (typeof PANELS)[number];
    explorer.set("panel", name);
    find(`tab-${name}`).focus();
  });
  explorer.on(["panel"], () => {
    for (const name of names) {
      const chosen = name === explorer.state.panel;
      const tab = find(`tab-${name}`);
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
      find(`panel-${name}`).hidden = !chosen;
    }
  });
}
