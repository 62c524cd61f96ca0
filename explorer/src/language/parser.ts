/** A card, to its syntax tree. */

import { expression, own } from "./expressions";
import { attempt, CardError, type Mistake } from "./mistakes";
import { ended, IN_PLACE, names, noName, reads, tuple } from "./sides";
import { decorator, type Signature, signature } from "./signature";
import type { Assignment, BinaryOperator, Expression, Name, Place, RuleSyntax } from "./syntax";
import { type Line, linesOf, Reader, type Token } from "./tokens";
import { STATEMENTS } from "./words";

// No card is near these; they bound how deep a tree can be, and so the work on it.
const LONGEST = 8000; // characters of a card
const LONGEST_LINE = 500; // tokens of a line

/** The syntax tree, or null where too little was understood; mistakes are added to the list. */
export function parse(text: string, mistakes: Mistake[]): RuleSyntax | null {
  if (text.length > LONGEST) {
    const message = `the card has ${text.length} characters; ${LONGEST} is the most.`;
    mistakes.push({ line: 1, column: 1, length: 1, message });
    return null;
  }
  const { lines, isCut } = linesOf(text, mistakes);
  const at = lines.findIndex((line) => line.tokens[0]?.text === "def");
  const head = lines[at];
  if (head === undefined) {
    const place = lines[0]?.tokens[0]?.place ?? { line: 1, column: 1, length: 1 };
    const message = "a card begins with its signature: def name(w, dw, ..., *, learning_rate=1e-3):";
    if (mistakes.length === 0) mistakes.push({ ...place, message });
    return null;
  }
  const initial = lines.slice(0, at).map((line) => above(line, mistakes));
  const reader = new Reader(head.tokens);
  const found = attempt(mistakes, () => {
    if (head.tokens.length > LONGEST_LINE) {
      throw new CardError(reader.next.place, "this signature is too long.");
    }
    return signature(reader, mistakes);
  });
  if (found === null) return null;
  const rest = reader.rest();
  const body = lines.slice(at + 1);
  if (rest.length > 1) body.unshift({ indent: body[0]?.indent ?? 4, tokens: rest });
  return new Body(found, Object.assign({}, ...initial), mistakes).read(body, isCut);
}

/** A line above `def`: @rule, or imports, which have no use here. */
function above(line: Line, mistakes: Mistake[]): Record<string, number | string> {
  const first = line.tokens[0] as Token;
  if (first.text === "import" || first.text === "from") return {};
  const found = attempt(mistakes, () => {
    if (first.text !== "@") throw new CardError(first.place, "only @rule stands above `def`.");
    return decorator(new Reader(line.tokens));
  });
  return found ?? {};
}

/** The lines below the signature. */
class Body {
  private readonly assignments: Assignment[] = [];
  private returned: Expression[] | null = null;
  private returnPlace: Place | null = null;

  constructor(
    private readonly signature: Signature,
    private readonly initial: Record<string, number | string>,
    private readonly mistakes: Mistake[],
  ) {}

  /** `isCut`: more lines follow than could be read. */
  read(lines: Line[], isCut: boolean): RuleSyntax | null {
    const indent = lines[0]?.indent ?? 0;
    let skipped = Infinity; // lines within a refused `if` are not looked at
    for (const [number, line] of lines.entries()) {
      if (line.indent > skipped) {
        this.leaveOut(line);
        continue;
      }
      skipped = Infinity;
      const first = line.tokens[0] as Token;
      if (first.kind === "string" && number === 0) continue; // its notes
      if (first.kind === "name" && own(STATEMENTS, first.text) !== undefined) skipped = line.indent;
      const done = attempt(this.mistakes, () => {
        if (line.tokens.length > LONGEST_LINE) {
          throw new CardError(first.place, "this line is too long; give its parts names.");
        }
        if (indent === 0 && number === 0) {
          const message = "the lines of a card are indented below its `def`.";
          this.mistakes.push({ ...first.place, message });
        }
        if (line.indent !== indent) {
          throw new CardError(first.place, "this line is not indented as the first one is.");
        }
        this.statement(new Reader(line.tokens));
        return true;
      });
      if (done === null) this.leaveOut(line);
    }
    if (this.returnPlace === null && isCut) return null;
    if (this.returnPlace === null) {
      const { name } = this.signature;
      const message = `${name.text} returns nothing; its last line must return the new weights and every state.`;
      this.mistakes.push({ ...name.place, message });
      return null;
    }
    const { signature, initial, assignments, returned, returnPlace } = this;
    return { ...signature, initial, assignments, returned, returnPlace };
  }

  /** Notes what a line that was not understood would have named, so that nobody misses it. */
  private leaveOut(line: Line): void {
    const reader = new Reader(line.tokens);
    const targets = names(reader);
    const operator = reader.ahead(targets.length * 2 - 1);
    if (!operator.text.endsWith("=")) return;
    for (const target of targets) this.assignments.push({ target, value: null });
  }

  private statement(reader: Reader): void {
    const first = reader.next;
    if (this.returnPlace !== null) {
      throw new CardError(first.place, "nothing happens after `return`; leave the line out.");
    }
    const word = first.kind === "name" ? own(STATEMENTS, first.text) : undefined;
    if (word !== undefined) throw new CardError(first.place, word);
    if (reader.takes("return")) {
      this.returnPlace = first.place;
      this.returned = tuple(reader);
      return;
    }
    const targets = names(reader);
    const operator = reader.ahead(targets.length * 2 - 1);
    if (targets.length === 1 && own(IN_PLACE, operator.text) !== undefined) {
      return this.inPlace(targets[0] as Name, reader);
    }
    if (operator.text === ":" && targets.length > 0) {
      throw new CardError(operator.place, "names carry no types in a card: name = expression.");
    }
    if (operator.text !== "=" || targets.length === 0) return noName(reader);
    for (let k = 0; k < targets.length * 2; k += 1) reader.take();
    const values = tuple(reader);
    if (values.length !== targets.length) {
      const message = `${targets.length} names and ${values.length} values do not match.`;
      throw new CardError(operator.place, message);
    }
    this.assign(targets, values);
  }

  private inPlace(target: Name, reader: Reader): void {
    reader.take();
    const { text, place } = reader.take();
    const operator = IN_PLACE[text] as BinaryOperator;
    const left: Expression = { kind: "name", ...target };
    const right = expression(reader);
    ended(reader);
    this.assignments.push({ target, value: { kind: "binary", operator, left, right, place } });
  }

  /** `a, b = x, y`: every value is computed before a name is given. */
  private assign(targets: Name[], values: Expression[]): void {
    const seen = new Set<string>();
    for (const [k, target] of targets.entries()) {
      const value = values[k] as Expression;
      const early = [...seen].find((name) => reads(value, name));
      if (early !== undefined) {
        const message = `${early} is changed and read in one line; give it a line of its own.`;
        throw new CardError(target.place, message);
      }
      seen.add(target.text);
    }
    for (const [k, target] of targets.entries()) {
      this.assignments.push({ target, value: values[k] as Expression });
    }
  }
}
