/** What is asked of values in an address, and what the reader is told where they are not so. */

import { nearest } from "./language/nearest";

const SHOWN = 40; // characters of what a stranger wrote

export class Notes {
  readonly list: string[] = [];

  number(
    key: string,
    text: string,
    low: number,
    high: number,
    whole: boolean,
    usual: number,
  ): number {
    const value = finite(text);
    const fits = value !== null && value >= low && value <= high;
    if (fits && !(whole && !Number.isInteger(value))) return value;
    const most = high === Number.MAX_VALUE ? "" : ` and at most ${high}`;
    this.wrong(key, text, `${whole ? "a whole number" : "a number"}, at least ${low}${most}`);
    return usual;
  }

  oneOf<T extends string>(key: string, text: string, choices: readonly T[], usual: T): T {
    const found = choices.find((each) => each === text);
    if (found === undefined) this.wrong(key, text, choices.join(", "));
    return found ?? usual;
  }

  wrong(key: string, text: string, need: string): void {
    this.list.push(`${key.slice(0, SHOWN)} is "${text.slice(0, SHOWN)}" in the address; it has to be: ${need}.`);
  }

  unknown(what: string, name: string, known: readonly string[]): void {
    this.list.push(`There is no ${what} ${name.slice(0, SHOWN)} here${nearest(name.slice(0, SHOWN), known)}`);
  }
}

/** The text as a number, if it is a finite one. */
export function finite(text: string): number | null {
  return /^-?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
    ? Number(text)
    : null;
}
