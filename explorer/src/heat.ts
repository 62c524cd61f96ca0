/** Final loss over two hyperparameters: a grid of short walks. */

import type { Ground, Racer } from "./walker";

/** One side of the grid: a hyperparameter and its values, in order. */
export interface Axis {
  name: string;
  values: number[];
}

export interface HeatRequest {
  racer: Racer;
  ground: Ground;
  steps: number;
  across: Axis; // the learning rate, as a rule
  down: Axis; // a beta
}

/** The final loss for each value of `across`, for value number `row` of `down`; Infinity where it diverged. */
export function heatRow(request: HeatRequest, row: number): Float64Array {
  throw new Error(`not written yet: ${request.steps} ${row}`);
}

/** Values for a hyperparameter around its own: rates by their logarithm, betas by that of 1 - beta. */
export function axisOf(name: string, value: number, count: number): Axis {
  throw new Error(`not written yet: ${name} ${value} ${count}`);
}

/** The hyperparameters that a heat map can have down its side: those of [0, 1), all but the learning rate. */
export function downChoices(hyperparameters: Record<string, number>): string[] {
  throw new Error(`not written yet: ${Object.keys(hyperparameters).length}`);
}
