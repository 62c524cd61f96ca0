/** Names of a card as mathematical symbols: beta1 is β with the index 1, m_hat is m with a hat. */

const GREEK: Readonly<Record<string, string>> = {
  alpha: "α",
  beta: "β",
  gamma: "γ",
  delta: "δ",
  epsilon: "ϵ",
  lambda: "λ",
  mu: "μ",
  nu: "ν",
  rho: "ρ",
  sigma: "σ",
  tau: "τ",
  learning_rate: "η",
  eps: "ϵ",
  weight_decay: "λ",
  momentum: "μ",
};

const DW = '<mrow><mi mathvariant="normal">d</mi><mi>w</mi></mrow>';
const HAT = "_hat";

/** A symbol, in parts, so that a power can take its place above the index.
 *
 *  letter   MathML, without index
 *  index    MathML of what stands below; "" for nothing
 *  isOf     whether the index is a time: m of t - 1
 */
export interface Symbol {
  letter: string;
  index: string;
  isOf: boolean;
}

/** Where a name stands in time: before the step, after it, or on the way with some primes. */
export type Time = "before" | "after" | number;

/** The symbol of a name. */
export function symbolOf(name: string, time: Time = 0): Symbol {
  const base = name.replace(/\d+$/, "");
  const digits = name.slice(base.length);
  const primes = typeof time === "number" ? "′".repeat(time) : "";
  const hatted = base.endsWith(HAT) && base !== HAT;
  let letter = letterOf(hatted ? base.slice(0, -HAT.length) : base);
  if (hatted) letter = `<mover accent="true">${letter}<mo>^</mo></mover>`;
  if (primes !== "") letter = `<msup>${letter}<mo>${primes}</mo></msup>`;
  const of = time === "before" ? "<mi>t</mi><mo>−</mo><mn>1</mn>" : time === "after" ? "<mi>t</mi>" : "";
  const number = digits === "" ? "" : `<mn>${digits}</mn>`;
  const comma = number !== "" && of !== "" ? '<mo separator="true">,</mo>' : "";
  return { letter, index: number + comma + of, isOf: of !== "" };
}

/** A symbol as MathML. */
export function spelledSymbol({ letter, index }: Symbol): string {
  return index === "" ? letter : `<msub>${letter}<mrow>${index}</mrow></msub>`;
}

function letterOf(base: string): string {
  if (base === "dw") return DW;
  if (Object.hasOwn(GREEK, base)) return `<mi>${GREEK[base]}</mi>`;
  return `<mi>${base.replace(/_+$/, "") || base}</mi>`;
}

/** A number as MathML: 1e-8 is a power of ten. */
export function spelledNumber(value: number): string {
  if (value === Infinity) return "<mi>∞</mi>";
  if (Number.isNaN(value)) return "<mtext>nan</mtext>";
  const [mantissa = "", exponent = ""] = value.toExponential().split("e");
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < 6)) return `<mn>${value}</mn>`;
  const sign = power < 0 ? "<mo>−</mo>" : "";
  const ten = `<msup><mn>10</mn><mrow>${sign}<mn>${Math.abs(power)}</mn></mrow></msup>`;
  return mantissa === "1" ? ten : `<mrow><mn>${mantissa}</mn><mo>⋅</mo>${ten}</mrow>`;
}
