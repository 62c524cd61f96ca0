/** Cards and surfaces for tests. */

import { type Surface, surfaceOf } from "../src/emitted";
import { type Base, compile } from "../src/language/compile";
import { shownMistake } from "../src/language/mistakes";
import type { PageData, Rule, RuleData, SurfaceData } from "../src/types";

export const ADAM = `
@rule
def adam(w, dw, m, v, t, *, learning_rate=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Momentum's velocity scaled by RMSProp's history."""
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    w = w - learning_rate * mt / (sqrt(vt) + eps)
    return w, m, v
`;

export const MOMENTUM = `
def momentum(w, dw, m, *, learning_rate=1e-3, beta1=0.9):
    m = beta1 * m - learning_rate * dw
    w += m
    return w, m
`;

export const ADAGRAD = `
def adagrad(w, dw, v, *, learning_rate=1e-3, eps=1e-8):
    v += dw**2
    w -= learning_rate * dw / (np.sqrt(v) + eps)
    return (w, v)
`;

export const RMSPROP = `
def rmsprop(w, dw, v, *, learning_rate=1e-3, beta2=0.999, eps=1e-8):
    v = beta2 * v + (1 - beta2) * dw**2
    w = w - learning_rate * dw / (sqrt(v) + eps)
    return w, v
`;

export const LION = `
def lion(w, dw, m, *, learning_rate=1e-4, beta1=0.9, beta2=0.99):
    w = w - learning_rate * sign(beta1 * m + (1 - beta1) * dw)
    m = beta2 * m + (1 - beta2) * dw
    return w, m
`;

export const RPROP = `
@rule(initial={"length": "learning_rate"}, ranges={"grow": (1.0, 5.0)})
def rprop(
    w, dw, previous, length, *,
    learning_rate=1e-2, shrink=0.5, grow=1.2, shortest=1e-6, longest=50.0,
):  # fmt: skip
    turned = dw * previous  # below 0: the sign has turned
    factor = where(turned > 0, grow, where(turned < 0, shrink, 1.0))
    length = clip(length * factor, shortest, longest)
    dw = where(turned < 0, 0.0, dw)
    w = w - sign(dw) * length
    return w, dw, length
`;

export const NADAM = `
@rule(initial={"product": 1.0})
def nadam(w, dw, m, v, product: Scalar, t, *, learning_rate=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    mu = beta1 * (1 - 0.5 * 0.96 ** (t * 4e-3))
    next_mu = beta1 * (1 - 0.5 * 0.96 ** ((t + 1) * 4e-3))
    product = product * mu
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = next_mu / (1 - product * next_mu) * m + (1 - mu) / (1 - product) * dw
    w = w - learning_rate * mt / (sqrt(v / (1 - beta2**t)) + eps)
    return w, m, v, product
`;

/** The rule of a card without mistakes. */
export function ruleFrom(card: string, base: Base = {}): Rule {
  const compiled = compile(card, base);
  if ("rule" in compiled) return compiled.rule;
  throw new Error(compiled.mistakes.map(shownMistake).join("\n"));
}

/** A rule of one line, `w = <expression>`, at w, dw, state s, hyperparameter h and step t. */
export function value(text: string, at: Partial<Record<"w" | "dw" | "s" | "h" | "t", number>> = {}): number {
  const rule = ruleFrom(`def f(w, dw, s, t, *, h=0.5):\n    w = ${text}\n    return w, s`);
  const { numbers } = rule.host({ h: at.h ?? 0.5 }, [], at.t ?? 1);
  return rule.element(at.w ?? 1, at.dw ?? 2, [at.s ?? 3], numbers)[0] ?? NaN;
}

/** The messages of a card, with their lines. */
export function messages(card: string, base: Base = {}): string[] {
  const compiled = compile(card, base);
  return "mistakes" in compiled ? compiled.mistakes.map(shownMistake) : [];
}

const parameter = { title: "", unit: "", logarithmic: false };

/** condition * x**2 / 2 + y**2 / 2: the gradient is (condition * x, y). */
export const BOWL: SurfaceData = {
  name: "bowl",
  title: "Bowl",
  about: "",
  source: "",
  parameters: [
    { ...parameter, name: "condition", value: 10, low: 1, high: 1000, logarithmic: true },
    { ...parameter, name: "lift", value: 0, low: -1, high: 1 },
  ],
  window: [-4, 4, -4, 4],
  start: [-2, 3],
  lowest: [[0, 0]],
  noise: 0.5,
  code: `
function height(x, y, condition, lift) { return (condition * x * x + y * y) / 2 + lift; }
function slope(x, y, condition, lift) { return [condition * x, y]; }
`,
};

export const PLAIN: SurfaceData = {
  ...BOWL,
  name: "plain",
  parameters: [],
  start: [1, 1],
  noise: 0,
  code: "function height(x, y) { return x + y; }\nfunction slope(x, y) { return [1, 1]; }",
};

export function bowl(condition = 10): Surface {
  return surfaceOf(BOWL, { condition });
}

function ruleData(name: string, hyperparameters: Record<string, number>): RuleData {
  const [low, high]: [number, number] = [0, 1];
  return {
    name,
    summary: "",
    source: "",
    family: "descent",
    card: "",
    inputs: [...Object.keys(hyperparameters), "t"],
    tensors: ["w", "dw", "m"],
    outputs: ["w", "m"],
    scalars: [],
    names: ["m", "w"],
    hyperparameters,
    ranges: { beta1: [low, high], learning_rate: [0, null] },
    initial: {},
    correctsBias: false,
    code: `
function host(learning_rate, beta1, t) { return { numbers: [beta1, learning_rate], scalars: [] }; }
function element(w, dw, m, beta1, learning_rate) {
  const m_new = beta1 * m - learning_rate * dw;
  return [w + m_new, m_new];
}
function named(w, dw, m, beta1, learning_rate) {
  const m_new = beta1 * m - learning_rate * dw;
  return [m_new, w + m_new];
}
`,
  };
}

export const DATA: PageData = {
  version: "0",
  rules: ["momentum", "rmsprop", "adam", "lion"].map((name) =>
    ruleData(name, { learning_rate: 1e-3, beta1: 0.9 }),
  ),
  surfaces: [BOWL, PLAIN],
};
