/** A rule that walks on a surface: two coordinates, each with a state of its own. */

import type { Surface } from "./emitted";
import { History } from "./history";
import { normalPair } from "./noise";
import type { Rule } from "./types";

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

/** What one coordinate's step was made of, or would be. */
export interface CoordinateInside {
  weight: number; // before the step
  gradient: number; // with its noise
  state: Record<string, number>; // before the step
  named: Record<string, number>; // every value that the author named, in the order of `rule.names`
  outputs: Record<string, number>; // new value of w and of each state, in the order of `rule`
  step: number; // new weight minus old
}

/** What a step was made of. */
export interface Inside {
  t: number; // 1 at the first step
  numbers: number[]; // what host computed once for both coordinates
  scalars: Record<string, number>; // before the step
  coordinates: [CoordinateInside, CoordinateInside];
}

/** Where a step begins. */
interface Moment {
  t: number;
  weights: [number, number];
  gradient: [number, number];
  state: [number[], number[]];
  scalars: number[];
}

/** How many widths of the surface's window a walker may go away from its centre. */
const FAR = 1e4;

export class Walker {
  readonly hyperparameters: Record<string, number>;
  readonly history = new History();
  /** Steps taken. */
  t = 0;
  weights: [number, number] = [0, 0];
  loss = 0;
  /** Why it stopped: "" as long as it walks. */
  stopped = "";

  private state: [number[], number[]] = [[], []];
  private scalars: number[] = [];
  private last: Moment | null = null;

  constructor(
    readonly racer: Racer,
    readonly ground: Ground,
  ) {
    this.hyperparameters = { ...racer.rule.hyperparameters, ...racer.hyperparameters };
    this.reset();
  }

  /** Back to the start, with nothing remembered. */
  reset(): void {
    const { rule } = this.racer;
    const from = (name: string) => this.initial(name);
    this.t = 0;
    this.stopped = "";
    this.last = null;
    this.weights = [...this.ground.start];
    this.state = [rule.state.map(from), rule.state.map(from)];
    this.scalars = rule.scalars.map(from);
    this.loss = this.ground.surface.height(...this.weights);
    this.history.clear();
    const [x, y] = this.weights;
    this.history.add({ x, y, loss: this.loss, step: NaN, rateX: NaN, rateY: NaN, ratio: NaN });
    this.stopped = this.trouble();
  }

  /** Takes a step; false where the walker has stopped. */
  step(): boolean {
    if (this.stopped) return false;
    const moment = this.moment();
    const { rule } = this.racer;
    const host = rule.host(this.hyperparameters, moment.scalars, this.clock(moment.t));
    const one = (k: 0 | 1) =>
      rule.element(moment.weights[k], moment.gradient[k], moment.state[k], host.numbers);
    const [first, second] = [one(0), one(1)];
    this.last = moment;
    this.t = moment.t;
    this.weights = [first[0] ?? NaN, second[0] ?? NaN];
    this.state = [first.slice(1), second.slice(1)];
    this.scalars = host.scalars;
    this.loss = this.ground.surface.height(...this.weights);
    this.note(moment);
    this.stopped = this.trouble();
    return true;
  }

  /** What the last step was made of, or what the next will be; null where there is none. */
  inside(which: "last" | "next"): Inside | null {
    const moment = which === "last" ? this.last : this.stopped ? null : this.moment();
    if (moment === null) return null;
    const { rule } = this.racer;
    const { numbers } = rule.host(this.hyperparameters, moment.scalars, this.clock(moment.t));
    const one = (k: 0 | 1): CoordinateInside => {
      const inputs = [moment.weights[k], moment.gradient[k], moment.state[k], numbers] as const;
      const outputs = rule.element(...inputs);
      return {
        weight: moment.weights[k],
        gradient: moment.gradient[k],
        state: together(rule.state, moment.state[k]),
        named: together(rule.names, rule.named(...inputs)),
        outputs: together([rule.tensors[0] ?? "w", ...rule.state], outputs),
        step: (outputs[0] ?? NaN) - moment.weights[k],
      };
    };
    const scalars = together(rule.scalars, moment.scalars);
    return { t: moment.t, numbers, scalars, coordinates: [one(0), one(1)] };
  }

  private initial(name: string): number {
    const start = this.racer.rule.initial[name] ?? 0;
    return typeof start === "number" ? start : (this.hyperparameters[start] ?? NaN);
  }

  /** The step count as the rule sees it: with no end to it, beta**t is 0, and corrects nothing. */
  private clock(t: number): number {
    return this.racer.uncorrected && this.racer.rule.correctsBias ? Infinity : t;
  }

  private moment(): Moment {
    const { surface, noise, seed } = this.ground;
    const t = this.t + 1;
    const [slopeX, slopeY] = surface.slope(...this.weights);
    const [noiseX, noiseY] = noise > 0 ? normalPair(seed, t) : [0, 0];
    const gradient: [number, number] = [slopeX + noise * noiseX, slopeY + noise * noiseY];
    return { t, weights: this.weights, gradient, state: this.state, scalars: this.scalars };
  }

  private note({ weights, gradient }: Moment): void {
    const [x, y] = this.weights;
    const [stepX, stepY] = [Math.abs(x - weights[0]), Math.abs(y - weights[1])];
    const step = Math.hypot(stepX, stepY);
    this.history.add({
      x,
      y,
      loss: this.loss,
      step,
      rateX: quotient(stepX, Math.abs(gradient[0])),
      rateY: quotient(stepY, Math.abs(gradient[1])),
      ratio: quotient(step, Math.hypot(...weights)),
    });
  }

  private trouble(): string {
    const [x, y] = this.weights;
    const [left, right, low, high] = this.ground.surface.data.window;
    if (![x, y, this.loss].every(Number.isFinite)) {
      return `Step ${this.t} led to what is no number: the learning rate may be too large.`;
    }
    const reach = FAR * Math.max(right - left, high - low);
    if (Math.hypot(x - (left + right) / 2, y - (low + high) / 2) > reach) {
      return `Step ${this.t} led far away from the surface: the learning rate is too large.`;
    }
    return "";
  }
}

function quotient(above: number, below: number): number {
  return below > 0 ? above / below : NaN;
}

function together(names: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.map((name, k) => [name, values[k] ?? NaN]));
}
