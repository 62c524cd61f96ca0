/** The first lines of a card: @rule, and the signature, which says what every argument is. */

import { expression, own } from "./expressions";
import { attempt, CardError, type Mistake } from "./mistakes";
import type { Argument, Expression, Hyperparameter, Name, Place } from "./syntax";
import type { Reader } from "./tokens";

export interface Signature {
  name: Name;
  positional: Argument[];
  hyperparameters: Hyperparameter[];
}

const SHAPE = "def adam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9):";

/** Reads `@rule` or `@rule(initial={"v": 0.1})`; what it says of ranges is left aside. */
export function decorator(reader: Reader): Record<string, number | string> {
  reader.expect("@", "@rule");
  let name = reader.take();
  if (reader.takes(".")) name = reader.take();
  if (name.text !== "rule") throw new CardError(name.place, "only @rule stands above a card.");
  const initial: Record<string, number | string> = {};
  if (!reader.takes("(")) return initial;
  while (!reader.takes(")")) {
    const keyword = reader.take();
    if (keyword.text !== "initial" && keyword.text !== "ranges") {
      throw new CardError(keyword.place, "@rule takes initial={...} and ranges={...} only.");
    }
    reader.expect("=", "=");
    const entries = dictionary(reader);
    if (keyword.text === "initial") Object.assign(initial, entries);
    if (!reader.takes(",") && reader.next.text !== ")") reader.expect(")", "a comma or )");
  }
  return initial;
}

function dictionary(reader: Reader): Record<string, number | string> {
  const entries: Record<string, number | string> = {};
  reader.expect("{", "{");
  while (!reader.takes("}")) {
    const key = reader.take();
    if (key.kind !== "string") throw new CardError(key.place, 'a name in quotes is needed: "v".');
    reader.expect(":", ":");
    if (reader.next.kind === "string") {
      entries[unquoted(key.text)] = unquoted(reader.take().text);
    } else if (reader.takes("(")) {
      while (!reader.takes(")") && reader.next.kind !== "end") reader.take(); // a range
    } else {
      entries[unquoted(key.text)] = constant(reader, "where it starts");
    }
    if (!reader.takes(",") && reader.next.text !== "}") reader.expect("}", "a comma or }");
  }
  return entries;
}

function unquoted(text: string): string {
  return text.slice(1, -1);
}

/** Reads `def name(arguments):`; mistakes in single arguments are added to the list. */
export function signature(reader: Reader, mistakes: Mistake[]): Signature {
  reader.expect("def", SHAPE);
  const { kind, text, place } = reader.take();
  if (kind !== "name") throw new CardError(place, `the rule needs a name: ${SHAPE}`);
  const found: Signature = { name: { text, place }, positional: [], hyperparameters: [] };
  reader.expect("(", "(");
  let afterStar = false;
  while (!reader.takes(")")) {
    if (reader.takes("*")) {
      if (reader.next.kind === "name") {
        const message = `*${reader.next.text} leaves open what the rule takes; name each argument.`;
        throw new CardError(reader.next.place, message);
      }
      afterStar = true;
    } else {
      argument(reader, found, afterStar, mistakes);
    }
    if (!reader.takes(",") && reader.next.text !== ")") reader.expect(")", "a comma or )");
  }
  if (reader.takes("->")) expression(reader);
  reader.expect(":", "a colon at the end of the signature");
  attempt(mistakes, () => check(found));
  return found;
}

function argument(
  reader: Reader,
  found: Signature,
  afterStar: boolean,
  mistakes: Mistake[],
): void {
  const token = reader.take();
  if (token.kind !== "name") {
    throw new CardError(token.place, `the name of an argument is needed: ${SHAPE}`);
  }
  const name: Name = { text: token.text, place: token.place };
  const annotation = reader.takes(":") ? lastName(expression(reader)) : "";
  const value = reader.takes("=") ? attempt(mistakes, () => constant(reader, name.text)) : undefined;
  if (value === null) skipArgument(reader);
  if (afterStar && value === undefined) {
    say(mistakes, name.place, `the hyperparameter ${name.text} needs a default: ${name.text}=...`);
  } else if (!afterStar && value !== undefined) {
    const message = `${name.text} has a default, so it is a hyperparameter: move it behind the \`*\`.`;
    say(mistakes, name.place, message);
  }
  if (afterStar || value !== undefined) found.hyperparameters.push({ name, value: value ?? NaN });
  else found.positional.push({ name, isScalar: annotation === "Scalar" });
}

function lastName(annotation: Expression): string {
  return annotation.kind === "name" ? annotation.text : "";
}

/** Goes on to the comma or bracket behind an argument that could not be read. */
function skipArgument(reader: Reader): void {
  while (![",", ")"].includes(reader.next.text) && reader.next.kind !== "end") reader.take();
}

/** A number that stands there as such, with its sign. */
function constant(reader: Reader, what: string): number {
  const { place, text } = reader.next;
  if (text === "True" || text === "False") {
    reader.take();
    const message = `${what} is a switch; a card on this page has numbers only. Write out the formula that you want.`;
    throw new CardError(place, message);
  }
  const value = valueOf(expression(reader));
  if (value === null) throw new CardError(place, `${what} must be a number, such as 1e-3.`);
  return value;
}

const SIMPLE: Readonly<Record<string, (x: number, y: number) => number>> = {
  "+": (x, y) => x + y,
  "-": (x, y) => x - y,
  "*": (x, y) => x * y,
  "/": (x, y) => x / y,
  "**": (x, y) => x ** y,
};

function valueOf(of: Expression): number | null {
  if (of.kind === "number") return of.value;
  if (of.kind === "unary") {
    const value = valueOf(of.operand);
    return value === null || of.operator === "~" ? null : of.operator === "-" ? -value : value;
  }
  if (of.kind !== "binary") return null;
  const [left, right, meaning] = [valueOf(of.left), valueOf(of.right), own(SIMPLE, of.operator)];
  return left === null || right === null || meaning === undefined ? null : meaning(left, right);
}

/** What the arguments must be, together. */
function check({ name, positional, hyperparameters }: Signature): void {
  const names = [...positional, ...hyperparameters].map((each) => each.name);
  const twice = names.find((each, k) => names.findIndex((other) => other.text === each.text) < k);
  if (twice !== undefined) throw new CardError(twice.place, `${twice.text} is an argument twice.`);
  const [weights, gradient] = positional;
  const wrong = [weights, gradient].find((each) => each?.name.text === "t" || each?.isScalar);
  if (weights === undefined || gradient === undefined || wrong !== undefined) {
    const message = "the first two arguments must be the weights and their gradient, w and dw.";
    throw new CardError((wrong ?? { name }).name.place, message);
  }
  const t = hyperparameters.find((each) => each.name.text === "t");
  if (t !== undefined) {
    throw new CardError(t.name.place, "t is the step count; it stands before the `*`.");
  }
}

function say(mistakes: Mistake[], place: Place, message: string): void {
  mistakes.push({ ...place, message });
}
