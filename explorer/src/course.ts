/** A rule on a surface: where it starts, and where each step leads. */

import type { Surface } from "./emitted";
import { normalPair } from "./noise";
import type { Host, Rule } from "./types";

/** What all walkers of a race share. */
export interface Ground {
  surface: Surface;
  start: [number, number];
  noise: number; // standard deviation of what is added to each coordinate of the gradient
  seed: number; // a whole number
}

/** A rule with numbers of its own. */
export interface Racer {
  rule: Rule;
  hyperparameters: Record<string, number>; // those that differ from the rule's
  uncorrected: boolean; // without bias correction, where the rule has one
}

/** Where a rule is after `t` steps. */
export interface Position {
  t: number;
  weights: [number, number];
  state: [number[], number[]]; // of each coordinate
  scalars: number[];
}

/** How many widths of the surface's window a walker may go away from its centre. */
const FAR = 1e4;

/** A racer's course over a ground: functions of where it is, with nothing remembered. */
export class Course {
  /** The rule's own, and the racer's above them. */
  readonly hyperparameters: Record<string, number>;

  constructor(
    readonly racer: Racer,
    readonly ground: Ground,
  ) {
    this.hyperparameters = { ...racer.rule.hyperparameters, ...racer.hyperparameters };
  }

  start(): Position {
    const { rule } = this.racer;
    const from = (name: string): number => {
      const start = rule.initial[name] ?? 0;
      return typeof start === "number" ? start : (this.hyperparameters[start] ?? NaN);
    };
    const state: [number[], number[]] = [rule.state.map(from), rule.state.map(from)];
    return { t: 0, weights: [...this.ground.start], state, scalars: rule.scalars.map(from) };
  }

  loss({ weights: [x, y] }: Position): number {
    return this.ground.surface.height(x, y);
  }

  /** The gradient that the next step sees, noise included. */
  gradient({ t, weights: [x, y] }: Position): [number, number] {
    const { surface, noise, seed } = this.ground;
    const [slopeX, slopeY] = surface.slope(x, y);
    if (!(noise > 0)) return [slopeX, slopeY];
    const [noiseX, noiseY] = normalPair(seed, t + 1);
    return [slopeX + noise * noiseX, slopeY + noise * noiseY];
  }

  /** What the next step computes once for both coordinates. */
  host({ t, scalars }: Position): Host {
    const { rule, uncorrected } = this.racer;
    // With no end to the steps, beta**t is 0, and corrects nothing.
    const clock = uncorrected && rule.correctsBias ? Infinity : t + 1;
    return rule.host(this.hyperparameters, scalars, clock);
  }

  next(position: Position, gradient: readonly [number, number]): Position {
    const { numbers, scalars } = this.host(position);
    const { weights, state } = position;
    const first = this.racer.rule.element(weights[0], gradient[0], state[0], numbers);
    const second = this.racer.rule.element(weights[1], gradient[1], state[1], numbers);
    return {
      t: position.t + 1,
      weights: [first[0] ?? NaN, second[0] ?? NaN],
      state: [first.slice(1), second.slice(1)],
      scalars,
    };
  }

  /** Why nothing can follow: "" where a next step makes sense. */
  trouble({ t, weights: [x, y] }: Position, loss: number): string {
    const [left, right, low, high] = this.ground.surface.data.window;
    if (!Number.isFinite(x) || !Number.isFinite(y) || !Number.isFinite(loss)) {
      return `Step ${t} led to what is no number: the learning rate may be too large.`;
    }
    const reach = FAR * Math.max(right - left, high - low);
    if (Math.hypot(x - (left + right) / 2, y - (low + high) / 2) > reach) {
      return `Step ${t} led far away from the surface: the learning rate may be too large.`;
    }
    return "";
  }
}
