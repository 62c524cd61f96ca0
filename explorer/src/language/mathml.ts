/** The formulas of a card in MathML, under the author's own names. */

import type { RuleSyntax } from "./syntax";

/** One `<math display="block">` with a row for each assignment, aligned at the equals signs. */
export function mathML(rule: RuleSyntax): string {
  throw new Error(`not written yet: ${rule.name.text}`);
}

/** A name as a symbol within a `<math>`: `<mi>β</mi>` with its index, for labels beside numbers. */
export function symbolML(name: string): string {
  throw new Error(`not written yet: ${name}`);
}
