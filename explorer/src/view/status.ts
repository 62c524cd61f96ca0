/** Short messages: all are spoken, and those that stand nowhere else are seen for a while. */

import { find, write } from "./dom";

let timer = 0;

/** Says what happened to whoever listens to the page. */
export function say(text: string): void {
  const status = find("status");
  clearTimeout(timer);
  status.classList.remove("seen");
  write(status, text);
}

/** Says it, and shows it for some seconds. */
export function announce(text: string): void {
  say(text);
  find("status").classList.add("seen");
  timer = window.setTimeout(() => find("status").classList.remove("seen"), 4000);
}
