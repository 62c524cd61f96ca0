/** A card as text, to a rule that runs. */

import type { Rule } from "../types";
import type { Mistake } from "./mistakes";
import type { RuleSyntax } from "./syntax";

/** The rule and its syntax tree (for `mathML`), or every mistake that was found. */
export type Compiled = { rule: Rule; syntax: RuleSyntax } | { mistakes: Mistake[] };

/** Compiles a card. `initial` says where state starts that the card has and says nothing of. */
export function compile(
  text: string,
  initial: Readonly<Record<string, number | string>> = {},
): Compiled {
  throw new Error(`not written yet: ${text} ${Object.keys(initial).length}`);
}
