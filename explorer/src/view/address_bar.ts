/** The state in the address after #: written as it changes, read when it is changed from outside. */

import { addressOf, stateOf } from "../address";
import { find } from "./dom";
import type { Explorer } from "./explorer";
import { announce } from "./status";
import { suitAll } from "./tuning";

/** Browsers refuse more than some hundred changes of the address in half a minute. */
const PAUSE = 400;

export function addressBar(explorer: Explorer): void {
  let timer = 0;
  const write = () => {
    timer = 0;
    const address = `#${addressOf(explorer.state, explorer.data)}`;
    if (address !== (location.hash || "#")) history.replaceState(null, "", address);
  };
  const soon = () => {
    if (timer === 0) timer = window.setTimeout(write, PAUSE);
  };
  explorer.on(
    ["surface", "ground", "racers", "shown", "panel", "theme", "speed", "heat", "playing"],
    soon,
  );
  explorer.on(["time"], soon, PAUSE);

  window.addEventListener("hashchange", () => {
    clearTimeout(timer);
    timer = 0;
    const { state, notes } = stateOf(location.hash.slice(1), explorer.data);
    explorer.load(state);
    if (location.hash.length < 2) suitAll(explorer);
    if (notes.length > 0) announce(notes.join(" "));
  });

  find("copy-link").addEventListener("click", async () => {
    clearTimeout(timer);
    write();
    announce(
      (await copied(location.href)) ? "The link is copied." : "The link stands in the address bar.",
    );
  });
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false; // a page that was opened as a file may not be allowed to
  }
}
