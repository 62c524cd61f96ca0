/** The vocabulary: each operation, what it takes, and what it means in JavaScript.
 *
 *  The meanings are those of ruleonce's language: y on a tie of maximum and minimum, nan wins;
 *  sign gives 0 for -0; `**`, `%` and `//` are Python's.
 */

export type Kind = "number" | "truth";

export interface Operation {
  name: string;
  takes: readonly Kind[];
  gives: Kind;
  /** JavaScript, with {0}, {1}, ... for the operands; `on` holds the functions below. */
  text: string;
  /** Defined only for numbers that change once a step. */
  perStep: boolean;
}

/** What JavaScript has no word for. */
export const ON = {
  maximum: (x: number, y: number): number => (x > y || Number.isNaN(x) ? x : y),
  minimum: (x: number, y: number): number => (x < y || Number.isNaN(x) ? x : y),
  sign: (x: number): number => (x > 0 ? 1 : x < 0 ? -1 : x + 0),
  // 1 to any power is 1, and -1 to an infinite one; JavaScript has nan.
  power: (x: number, y: number): number =>
    x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y,
  modulo: (x: number, y: number): number => {
    const rest = x % y; // has the sign of x; Python's has that of y
    if (rest === 0) return y < 0 ? -0 : 0;
    return rest < 0 !== y < 0 ? rest + y : rest;
  },
  floorDivide: (x: number, y: number): number => {
    const near = (x - ON.modulo(x, y)) / y; // whole but for its last bit
    return near === 0 ? 0 * (x / y) : Math.round(near);
  },
} as const;

function operation(name: string, text: string, takes: string, gives: Kind = "number"): Operation {
  const kinds = [...takes].map((letter): Kind => (letter === "n" ? "number" : "truth"));
  return { name, text, takes: kinds, gives, perStep: name === "%" || name === "//" };
}

const ALL = [
  operation("+", "({0} + {1})", "nn"),
  operation("-", "({0} - {1})", "nn"),
  operation("*", "({0} * {1})", "nn"),
  operation("/", "({0} / {1})", "nn"),
  operation("%", "on.modulo({0}, {1})", "nn"),
  operation("//", "on.floorDivide({0}, {1})", "nn"),
  operation("**", "on.power({0}, {1})", "nn"),
  operation("negative", "(-{0})", "n"),
  operation("<", "({0} < {1})", "nn", "truth"),
  operation("<=", "({0} <= {1})", "nn", "truth"),
  operation(">", "({0} > {1})", "nn", "truth"),
  operation(">=", "({0} >= {1})", "nn", "truth"),
  operation("==", "({0} === {1})", "nn", "truth"),
  operation("!=", "({0} !== {1})", "nn", "truth"),
  operation("&", "({0} && {1})", "tt", "truth"),
  operation("|", "({0} || {1})", "tt", "truth"),
  operation("~", "(!{0})", "t", "truth"),
  operation("where", "({0} ? {1} : {2})", "tnn"),
  operation("maximum", "on.maximum({0}, {1})", "nn"),
  operation("minimum", "on.minimum({0}, {1})", "nn"),
  operation("sign", "on.sign({0})", "n"),
  operation("sqrt", "Math.sqrt({0})", "n"),
  operation("abs", "Math.abs({0})", "n"),
  operation("exp", "Math.exp({0})", "n"),
  operation("log", "Math.log({0})", "n"),
  operation("tanh", "Math.tanh({0})", "n"),
  operation("cbrt", "Math.cbrt({0})", "n"),
  operation("arctan2", "Math.atan2({0}, {1})", "nn"),
] as const;

const OPERATIONS = new Map<string, Operation>(ALL.map((each) => [each.name, each]));

/** The operation of this name; every name in the code below is one. */
export function operationOf(name: string): Operation {
  const found = OPERATIONS.get(name);
  if (found === undefined) throw new Error(`there is no operation ${name}`);
  return found;
}

/** The operation on numbers that are known already. */
export function folded(op: Operation, values: readonly (number | boolean)[]): number | boolean {
  const letters = ["x", "y", "z"].slice(0, values.length);
  const text = op.text.replace(/\{(\d)\}/g, (_, k: string) => letters[Number(k)] ?? "");
  return new Function("on", ...letters, `return ${text};`)(ON, ...values) as number | boolean;
}
