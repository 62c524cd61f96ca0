/** What statements are made of: the names on the left, the values on the right. */

import { expression, expressions, own } from "./expressions";
import { CardError } from "./mistakes";
import type { BinaryOperator, Expression, Name } from "./syntax";
import type { Reader } from "./tokens";

/** Operators that change a name: `w += m` is `w = w + m`. */
export const IN_PLACE: Readonly<Record<string, BinaryOperator>> = {
  "+=": "+",
  "-=": "-",
  "*=": "*",
  "/=": "/",
  "//=": "//",
  "%=": "%",
  "**=": "**",
};

/** `a`, or `a, b`, without taking them; none where the line begins otherwise. */
export function names(reader: Reader): Name[] {
  const found: Name[] = [];
  for (let k = 0; reader.ahead(k).kind === "name"; k += 2) {
    const { text, place } = reader.ahead(k);
    found.push({ text, place });
    if (reader.ahead(k + 1).text !== ",") break;
  }
  return found;
}

export function tuple(reader: Reader): Expression[] {
  if (reader.next.kind === "end") {
    throw new CardError(reader.next.place, "a value is needed here.");
  }
  const inBrackets = isWholeTuple(reader);
  if (inBrackets) reader.take();
  const found = expressions(reader);
  if (inBrackets) reader.expect(")", "a closing )");
  ended(reader);
  return found;
}

/** Whether the line is `(...)` with a comma in it: not `(a + b) / c`, nor `(a), b`. */
function isWholeTuple(reader: Reader): boolean {
  if (reader.next.text !== "(" || reader.next.kind !== "operator") return false;
  let [depth, comma] = [0, false];
  for (let k = 0; reader.ahead(k).kind !== "end"; k += 1) {
    const { text, kind } = reader.ahead(k);
    if (kind !== "operator") continue;
    if ("([{".includes(text)) depth += 1;
    if (")]}".includes(text)) depth -= 1;
    comma ||= text === "," && depth === 1;
    if (depth === 0) return comma && reader.ahead(k + 1).kind === "end";
  }
  return false;
}

export function ended(reader: Reader): void {
  if (reader.next.kind === "end") return;
  const message = `${reader.found()} was found where the line should end.`;
  throw new CardError(reader.next.place, message);
}

/** A line that gives nothing a name: says what is wrong with it. */
export function noName(reader: Reader): never {
  const { place } = reader.next;
  const value = expression(reader);
  if (reader.next.kind === "operator" && own(IN_PLACE, reader.next.text) !== undefined) {
    throw new CardError(place, "only a name can be changed: name += expression.");
  }
  ended(reader);
  if (value.kind === "binary" && value.operator === "==" && value.left.kind === "name") {
    throw new CardError(value.place, `== compares; write ${value.left.text} = ...`);
  }
  throw new CardError(place, "this line computes a value and gives it no name; write name = ...");
}

export function reads(value: Expression, name: string): boolean {
  if (value.kind === "name") return value.text === name;
  if (value.kind === "unary") return reads(value.operand, name);
  if (value.kind === "binary") return reads(value.left, name) || reads(value.right, name);
  return value.kind === "call" && value.operands.some((operand) => reads(operand, name));
}
