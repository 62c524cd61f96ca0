/** Short messages, seen and spoken. */

import { find, write } from "./dom";

let timer = 0;

/** Says it to whoever listens to the page, and shows it for some seconds. */
export function say(text: string): void {
  const status = find("status");
  write(status, text);
  status.classList.add("seen");
  clearTimeout(timer);
  timer = window.setTimeout(() => status.classList.remove("seen"), 3500);
}
