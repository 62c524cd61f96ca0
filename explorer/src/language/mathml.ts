/** The formulas of a card in MathML, under the author's own names. */

import { spelled } from "./spelling";
import { spelledSymbol, type Symbol, symbolOf, type Time } from "./symbols";
import type { Expression, RuleSyntax } from "./syntax";

/** A row: what is defined, and the formula; `line` is where it stands in the card. */
export interface Formula {
  left: string;
  right: string;
  line: number;
}

// Chromium aligns what stands in a cell by its own word for it, which others pass over.
const RIGHT = "text-align: right; text-align: -webkit-right";

/** One `<math display="block">` with a row for each assignment, aligned at the equals signs.
 *
 *  What is updated carries its step: m of t is made from m of t - 1, by way of m′ where a card
 *  gives the name more than once.
 */
export function mathML(rule: RuleSyntax): string {
  const rows = formulas(rule).map(
    ({ left, right }) =>
      `<mtr><mtd style="${RIGHT}; padding-right: 0">${left}</mtd>` +
      `<mtd style="text-align: left; padding-left: 0.3em"><mo>=</mo>${right}</mtd></mtr>`,
  );
  return `<math display="block"><mtable displaystyle="true">${rows.join("")}</mtable></math>`;
}

/** The rows of `mathML`, one by one: for a table of one's own. */
export function formulas(rule: RuleSyntax): Formula[] {
  const names = new Names(rule);
  const rows: Formula[] = [];
  for (const [number, { target, value }] of rule.assignments.entries()) {
    if (value === null) continue;
    const right = spelled(value, (name) => names.read(name));
    names.assign(target.text, number);
    const left = spelledSymbol(names.read(target.text));
    rows.push({ left, right, line: target.place.line });
  }
  for (const [name, value] of names.unlabelled) {
    const left = spelledSymbol(symbolOf(name, "after"));
    const right = spelled(value, (each) => names.read(each));
    rows.push({ left, right, line: rule.returnPlace.line });
  }
  return rows;
}

/** A name as a symbol within a `<math>`: β with its index, for labels beside numbers. */
export function symbolML(name: string): string {
  return `<math>${spelledSymbol(symbolOf(name))}</math>`;
}

/** What each name stands for, assignment after assignment. */
class Names {
  /** Results that no assignment made as they are: `return w, dw`. */
  readonly unlabelled: [string, Expression][] = [];
  private readonly updated: readonly string[];
  private readonly positional: readonly string[];
  private readonly results = new Map<number, string>(); // assignment -> the result that it is
  private readonly given = new Map<string, number>(); // how often a name has been assigned
  private readonly latest = new Map<string, number>(); // name -> its newest assignment

  constructor(private readonly rule: RuleSyntax) {
    this.positional = rule.positional.map(({ name }) => name.text);
    this.updated = this.positional.filter((name, k) => k !== 1 && name !== "t");
    for (const [k, value] of (rule.returned ?? []).entries()) {
      const result = this.updated[k] ?? "";
      const last = value.kind === "name" ? this.lastAssignment(value.text) : -1;
      if (last < 0 || this.results.has(last)) this.unlabelled.push([result, value]);
      else this.results.set(last, result);
    }
  }

  /** From here on, the name stands for what this assignment made. */
  assign(name: string, number: number): void {
    this.given.set(name, (this.given.get(name) ?? 0) + 1);
    this.latest.set(name, number);
  }

  read(name: string): Symbol {
    const result = this.results.get(this.latest.get(name) ?? -1);
    return result === undefined ? symbolOf(name, this.time(name)) : symbolOf(result, "after");
  }

  private time(name: string): Time {
    const given = this.given.get(name) ?? 0;
    if (given === 0) return this.updated.includes(name) ? "before" : 0;
    return this.isArgument(name) ? given : given - 1;
  }

  private isArgument(name: string): boolean {
    return (
      this.positional.includes(name) || this.rule.hyperparameters.some((each) => each.name.text === name)
    );
  }

  private lastAssignment(name: string): number {
    return this.rule.assignments.findLastIndex(({ target }) => target.text === name);
  }
}
