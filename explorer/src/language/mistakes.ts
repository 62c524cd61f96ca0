/** Mistakes in a card, and where they stand. */

/** One mistake. `line` and `column` count from 1; `length` says how many characters to underline. */
export interface Mistake {
  line: number;
  column: number;
  length: number;
  message: string; // what was found and what is needed, without the line
}

/** A mistake as a line of text: "line 3: beta3 is not known here; did you mean beta2?" */
export function shownMistake(mistake: Mistake): string {
  return `line ${mistake.line}: ${mistake.message}`;
}
