/** Mistakes in a card, and where they stand. */

import type { Place } from "./syntax";

/** One mistake. `line` and `column` count from 1; `length` says how many characters to underline. */
export interface Mistake extends Place {
  message: string; // what was found and what is needed, without the line
}

/** What stops the reading of one statement; the reader goes on with the next. */
export class CardError extends Error {
  constructor(
    readonly place: Place,
    message: string,
  ) {
    super(message);
  }
}

/** Does `part`; a mistake in it is added to the list, and the answer is null. */
export function attempt<T>(mistakes: Mistake[], part: () => T): T | null {
  try {
    return part();
  } catch (error) {
    if (!(error instanceof CardError)) throw error;
    mistakes.push({ ...error.place, message: error.message });
    return null;
  }
}

/** A mistake as a line of text: "line 3: beta3 is not known here; did you mean beta2?" */
export function shownMistake(mistake: Mistake): string {
  return `line ${mistake.line}: ${mistake.message}`;
}
