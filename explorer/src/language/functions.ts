/** The functions that a card may call, and those of Python that it may not. */

import { own } from "./expressions";
import type { Graph, Node } from "./graph";
import { operationOf } from "./operations";

/** A function: the names of its operands, and the node that it makes. */
export interface CardFunction {
  operands: readonly string[];
  takes: readonly ("number" | "truth")[];
  make(graph: Graph, ...operands: Node[]): Node;
}

function direct(operation: string, ...operands: string[]): CardFunction {
  const make = (graph: Graph, ...nodes: Node[]): Node => graph.apply(operation, ...nodes);
  return { operands, takes: operationOf(operation).takes, make };
}

function made(operands: string[], make: CardFunction["make"]): CardFunction {
  return { operands, takes: operands.map(() => "number"), make };
}

/** The functions of the language that work on each element, and NumPy's names for the same. */
export const FUNCTIONS: Readonly<Record<string, CardFunction>> = {
  sqrt: direct("sqrt", "x"),
  abs: direct("abs", "x"),
  sign: direct("sign", "x"),
  maximum: direct("maximum", "x", "y"),
  minimum: direct("minimum", "x", "y"),
  where: direct("where", "condition", "if_true", "if_false"),
  exp: direct("exp", "x"),
  log: direct("log", "x"),
  tanh: direct("tanh", "x"),
  arctan2: direct("arctan2", "y", "x"),
  cbrt: direct("cbrt", "x"),
  power: direct("**", "x", "y"),
  square: made(["x"], (graph, x) => graph.apply("*", x as Node, x as Node)),
  clip: made(["x", "low", "high"], (graph, x, low, high) =>
    graph.apply("minimum", graph.apply("maximum", x as Node, low as Node), high as Node),
  ),
  absolute: direct("abs", "x"),
  fabs: direct("abs", "x"),
  float_power: direct("**", "x", "y"),
  positive: made(["x"], (_, x) => x as Node),
  reciprocal: made(["x"], (graph, x) => graph.apply("/", graph.constant(1), x as Node)),
};

const WHOLE = "looks at a tensor as a whole; this page has two single weights. The library itself has it.";

/** Functions that people look for, and what to write. */
const INSTEAD: Readonly<Record<string, string>> = {
  max: "write maximum(x, y).",
  min: "write minimum(x, y).",
  pow: "write x**y.",
  atan2: "write arctan2(y, x).",
  if_else: "write where(condition, if_true, if_false).",
  ifelse: "write where(condition, if_true, if_false).",
  int: "numbers need no conversion; leave it out.",
  float: "numbers need no conversion; leave it out.",
  print: "a card has nothing to print; the values of every name stand in `inside the step`.",
  zeros_like: "write 0.0.",
  ones_like: "write 1.0.",
  log10: "write log(x) / log(10.0).",
  log2: "write log(x) / log(2.0).",
  ...Object.fromEntries(
    ["sum", "dot", "mean", "norm", "total", "size", "matmul", "transpose", "rows", "columns"].map(
      (name) => [name, `it ${WHOLE}`],
    ),
  ),
};

/** The names that messages list. */
export const LISTED = Object.keys(FUNCTIONS).slice(0, 14);

/** What to say of a call of a function that no card has. */
export function insteadOf(name: string): string | undefined {
  return own(INSTEAD, name);
}

/** Numbers that have a name in NumPy: np.pi. */
export const CONSTANTS: Readonly<Record<string, number>> = { pi: Math.PI, inf: Infinity, nan: NaN };
