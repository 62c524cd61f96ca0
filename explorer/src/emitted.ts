/** Rules and surfaces as Python emitted them, ready to run. */

import type { Rule, RuleData, SurfaceData } from "./types";

/** A surface with values for its parameters. */
export interface Surface {
  data: SurfaceData;
  parameters: Record<string, number>;
  height(x: number, y: number): number;
  slope(x: number, y: number): [number, number];
}

type Emitted = (...values: number[]) => number[];

/** The rule that this data describes. */
export function ruleOf(data: RuleData): Rule {
  const { host, element, named } = functionsOf<{
    host(...inputs: number[]): { numbers: number[]; scalars: number[] };
    element: Emitted;
    named: Emitted;
  }>(data.code, ["host", "element", "named"]);
  const own = Object.keys(data.hyperparameters);
  return {
    name: data.name,
    tensors: data.tensors,
    state: data.tensors.slice(2),
    scalars: data.scalars,
    names: data.names,
    hyperparameters: data.hyperparameters,
    initial: data.initial,
    correctsBias: data.correctsBias,
    host: (hyperparameters, scalars, t) =>
      host(...own.map((name) => hyperparameters[name] ?? NaN), ...scalars, t),
    element: (w, dw, state, numbers) => element(w, dw, ...state, ...numbers),
    named: (w, dw, state, numbers) => named(w, dw, ...state, ...numbers),
  };
}

/** The surface that this data describes; parameters that are not given have their own values. */
export function surfaceOf(data: SurfaceData, given: Record<string, number> = {}): Surface {
  const { height, slope } = functionsOf<{
    height(...values: number[]): number;
    slope(...values: number[]): [number, number];
  }>(data.code, ["height", "slope"]);
  const parameters: Record<string, number> = {};
  for (const { name, value } of data.parameters) parameters[name] = given[name] ?? value;
  const values = Object.values(parameters);
  return {
    data,
    parameters,
    height: (x, y) => height(x, y, ...values),
    slope: (x, y) => slope(x, y, ...values),
  };
}

/** The functions of these names that the text defines. */
function functionsOf<T>(code: string, names: string[]): T {
  return new Function(`"use strict";\n${code}\nreturn { ${names.join(", ")} };`)() as T;
}
