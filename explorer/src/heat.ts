/** Final loss over two hyperparameters: a grid of short walks. */

import { Course, type Ground, type Racer } from "./course";

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
export function heatRow({ racer, ground, steps, across, down }: HeatRequest, row: number): Float64Array {
  const losses = new Float64Array(across.values.length);
  const value = down.values[row];
  if (value === undefined) throw new RangeError(`row ${row} of ${down.values.length}`);
  for (const [k, rate] of across.values.entries()) {
    const own = { ...racer.hyperparameters, [down.name]: value, [across.name]: rate };
    losses[k] = finalLoss(new Course({ ...racer, hyperparameters: own }, ground), steps);
  }
  return losses;
}

function finalLoss(course: Course, steps: number): number {
  let position = course.start();
  let loss = course.loss(position);
  for (let t = 0; t < steps; t += 1) {
    position = course.next(position, course.gradient(position));
    loss = course.loss(position);
    if (course.trouble(position, loss)) return Infinity;
  }
  return loss;
}

const RATE = "learning_rate";
const DECADES = 2; // on either side of the learning rate
const NEAREST_TO_ONE = 1e-4;

/** Values for a hyperparameter. A learning rate goes two decades to either side of `value`, evenly by
 *  its logarithm; a beta goes from 0 to 0.9999, evenly by the logarithm of 1 - beta.
 */
export function axisOf(name: string, value: number, count: number): Axis {
  const parts = Array.from({ length: count }, (_, k) => (count > 1 ? k / (count - 1) : 0));
  if (name === RATE) {
    const middle = value > 0 ? value : 1e-3;
    return { name, values: parts.map((part) => middle * 10 ** (DECADES * (2 * part - 1))) };
  }
  return { name, values: parts.map((part) => 1 - NEAREST_TO_ONE ** part) };
}

/** The hyperparameters that a heat map can have down its side: those that lie from 0 up to 1. */
export function downChoices(
  hyperparameters: Readonly<Record<string, number>>,
  ranges: Readonly<Record<string, readonly [number | null, number | null]>> = {},
): string[] {
  return Object.keys(hyperparameters).filter((name) => {
    if (name === RATE) return false;
    const [low, below] = Object.hasOwn(ranges, name) ? (ranges[name] ?? [null, null]) : [null, null];
    return (low === 0 && below === 1) || /^(beta|rho|decay|momentum)\d*$/.test(name);
  });
}
