/** What sort of number a value of a rule is: it decides which bars share a scale. */

import type { Rule } from "../../types";

export type Kind = "gradient" | "square" | "free" | "other";

export const KIND_TITLES: Record<Kind, string> = {
  gradient: "Like the gradient",
  square: "Like its square",
  free: "Without the gradient’s size",
  other: "Others",
};

/** Found by trying: which values double, or quadruple, when the first gradient is twice as large. */
export function kindsOf(rule: Rule, hyperparameters: Record<string, number>): Record<string, Kind> {
  const from = (name: string) => {
    const start = rule.initial[name] ?? 0;
    return typeof start === "number" ? start : (hyperparameters[start] ?? 0);
  };
  const { numbers } = rule.host(hyperparameters, rule.scalars.map(from), 1);
  const state = rule.state.map(from);
  const [once, twice] = [1, 2].map((dw) => rule.named(0, dw, state, numbers));
  const kinds = rule.names.map((name, k): [string, Kind] => {
    const power = Math.log2(Math.abs((twice?.[k] ?? NaN) / (once?.[k] ?? NaN)));
    const near = [0, 1, 2].find((whole) => Math.abs(power - whole) < 0.02);
    return [
      name,
      near === undefined ? "other" : (["free", "gradient", "square"] as const)[near as 0 | 1 | 2],
    ];
  });
  return Object.fromEntries(kinds);
}
