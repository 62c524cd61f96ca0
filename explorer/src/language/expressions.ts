/** Expressions, as Python reads them. */

import { CardError } from "./mistakes";
import type { BinaryOperator, Expression, UnaryOperator } from "./syntax";
import type { Reader } from "./tokens";
import { IN_EXPRESSIONS, OPERATORS } from "./words";

/** Binary operators, from those that bind least; all of them from the left. `**` is apart. */
const LEVELS: readonly (readonly BinaryOperator[])[] = [
  ["<", "<=", ">", ">=", "==", "!="],
  ["|"],
  ["&"],
  ["+", "-"],
  ["*", "/", "//", "%"],
];
const COMPARISONS = 0;
const DEEPEST = 100;

/** Where functions come from in Python: np.sqrt is sqrt. */
const MODULES: ReadonlySet<string> = new Set(["np", "numpy", "ro", "ruleonce"]);

/** Reads one expression. */
export function expression(reader: Reader, depth = 0): Expression {
  if (depth > DEEPEST) {
    throw new CardError(reader.next.place, "too many brackets inside brackets; give parts names.");
  }
  const value = binary(reader, 0, depth);
  refuseForeign(reader);
  return value;
}

/** Reads expressions between commas, until something else follows. */
export function expressions(reader: Reader, depth = 0): Expression[] {
  const found = [expression(reader, depth)];
  while (reader.takes(",")) {
    if (reader.next.kind === "end" || reader.next.text === ")") break; // `w, m,`
    found.push(expression(reader, depth));
  }
  return found;
}

function binary(reader: Reader, level: number, depth: number): Expression {
  const operators = LEVELS[level];
  if (operators === undefined) return unary(reader, depth);
  let left = binary(reader, level + 1, depth);
  let count = 0;
  for (;;) {
    const operator = operators.find((each) => isOperator(reader, each));
    if (operator === undefined) return left;
    const { place } = reader.take();
    count += 1;
    if (level === COMPARISONS && count > 1) {
      const message = "comparisons cannot be chained here; write (a < b) & (b < c), with the parentheses.";
      throw new CardError(place, message);
    }
    left = { kind: "binary", operator, left, right: binary(reader, level + 1, depth), place };
  }
}

function unary(reader: Reader, depth: number): Expression {
  const operator = (["-", "+", "~"] as const).find((each) => isOperator(reader, each));
  if (operator === undefined) return power(reader, depth);
  return signed(operator, reader, depth);
}

function signed(operator: UnaryOperator, reader: Reader, depth: number): Expression {
  const { place } = reader.take();
  if (depth > DEEPEST) throw new CardError(place, "too many signs in a row.");
  return { kind: "unary", operator, operand: unary(reader, depth + 1), place };
}

/** `-x**2` is `-(x**2)`, `x**-y` is `x**(-y)`, and `x**y**z` is `x**(y**z)`. */
function power(reader: Reader, depth: number): Expression {
  const left = atom(reader, depth);
  if (!isOperator(reader, "**")) return left;
  const { place } = reader.take();
  if (depth > DEEPEST) throw new CardError(place, "too many powers of powers.");
  return { kind: "binary", operator: "**", left, right: unary(reader, depth + 1), place };
}

function atom(reader: Reader, depth: number): Expression {
  const token = reader.next;
  if (token.kind === "number") return number(reader);
  if (token.kind === "name") {
    const word = own(IN_EXPRESSIONS, token.text);
    if (word !== undefined) throw new CardError(token.place, word);
    return nameOrCall(reader, depth);
  }
  if (token.kind === "string") {
    throw new CardError(token.place, "a text was found where a number is needed.");
  }
  if (reader.takes("(")) {
    const inside = expression(reader, depth + 1);
    if (isOperator(reader, ",")) {
      throw new CardError(reader.next.place, "a comma makes a pair, which is no number.");
    }
    reader.expect(")", "a closing )");
    return inside;
  }
  refuseForeign(reader);
  const message = `${reader.found()} was found where a number, a name or ( is needed.`;
  throw new CardError(token.place, message);
}

function number(reader: Reader): Expression {
  const { text, place } = reader.take();
  const { next } = reader;
  const touches = next.place.line === place.line && next.place.column === place.column + text.length;
  if (touches && next.kind === "name" && own(IN_EXPRESSIONS, next.text) === undefined) {
    const message = `\`${text}${next.text}\` is neither a number nor a name; write ${text} * ${next.text}.`;
    throw new CardError({ ...place, length: text.length + next.text.length }, message);
  }
  const value = Number(text.replaceAll("_", ""));
  return { kind: "number", value, text, place };
}

function nameOrCall(reader: Reader, depth: number): Expression {
  const first = reader.take();
  let { text, place } = first;
  if (isOperator(reader, ".") && reader.ahead(1).kind === "name") {
    const second = reader.ahead(1);
    if (text === "math") {
      const message = `math.${second.text} takes plain numbers only; write ${second.text} alone.`;
      throw new CardError(place, message);
    }
    if (!MODULES.has(text)) {
      const message = `\`.${second.text}\` belongs to an array; a card says what happens to one weight.`;
      throw new CardError(second.place, message);
    }
    reader.take();
    reader.take();
    text = second.text;
    place = { ...place, length: second.place.column + second.place.length - place.column };
  }
  if (!reader.takes("(")) return { kind: "name", text, place };
  const operands = isOperator(reader, ")") ? [] : callOperands(reader, depth);
  reader.expect(")", "a comma or a closing )");
  return { kind: "call", name: { text, place }, operands, place };
}

function callOperands(reader: Reader, depth: number): Expression[] {
  const found: Expression[] = [];
  do {
    if (isOperator(reader, ")")) break; // `maximum(x, y,)`
    if (reader.next.kind === "name" && reader.ahead(1).text === "=") {
      const message = "functions take their operands in order, without names; the lines of another rule are written out here.";
      throw new CardError(reader.next.place, message);
    }
    found.push(expression(reader, depth + 1));
  } while (reader.takes(","));
  return found;
}

/** Says what to write for an operator or a word that no card has. */
function refuseForeign(reader: Reader): void {
  const { kind, text, place } = reader.next;
  const table = kind === "operator" ? OPERATORS : kind === "name" ? IN_EXPRESSIONS : {};
  const message = own(table, text);
  if (message !== undefined) throw new CardError(place, message);
}

function isOperator(reader: Reader, text: string): boolean {
  return reader.next.kind === "operator" && reader.next.text === text;
}

/** What a table says of a word; a word such as "constructor" is in none. */
export function own<T>(table: Readonly<Record<string, T>>, word: string): T | undefined {
  return Object.hasOwn(table, word) ? table[word] : undefined;
}
