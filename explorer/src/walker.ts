/** A rule that walks on a surface, and remembers its way. */

import { Course, type Ground, type Position, type Racer } from "./course";
import { History } from "./history";

export type { Ground, Racer } from "./course";

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

/** Where a step begins, and the gradient that it sees. */
interface Moment {
  position: Position;
  gradient: [number, number];
}

export class Walker {
  readonly history = new History();
  loss = 0;
  /** Why it stopped, as a sentence for the reader: "" as long as it walks. */
  stopped = "";

  private readonly course: Course;
  private position: Position;
  private last: Moment | null = null;

  constructor(
    readonly racer: Racer,
    readonly ground: Ground,
  ) {
    this.course = new Course(racer, ground);
    this.position = this.course.start();
    this.reset();
  }

  /** Steps taken. */
  get t(): number {
    return this.position.t;
  }

  get weights(): [number, number] {
    return this.position.weights;
  }

  /** All of them, defaults included. */
  get hyperparameters(): Readonly<Record<string, number>> {
    return this.course.hyperparameters;
  }

  /** Back to the start, with nothing remembered. */
  reset(): void {
    this.position = this.course.start();
    this.last = null;
    this.loss = this.course.loss(this.position);
    this.stopped = this.course.trouble(this.position, this.loss);
    this.history.clear();
    const [x, y] = this.weights;
    this.history.add({ x, y, loss: this.loss, step: NaN, rateX: NaN, rateY: NaN, ratio: NaN });
  }

  /** Takes a step; false where the walker has stopped. */
  step(): boolean {
    if (this.stopped) return false;
    this.last = this.moment();
    this.position = this.course.next(this.last.position, this.last.gradient);
    this.loss = this.course.loss(this.position);
    this.stopped = this.course.trouble(this.position, this.loss);
    this.note(this.last);
    return true;
  }

  /** What the last step was made of, or what the next will be; null where there is none. */
  inside(which: "last" | "next"): Inside | null {
    const moment = which === "last" ? this.last : this.stopped ? null : this.moment();
    if (moment === null) return null;
    const { position, gradient } = moment;
    const { rule } = this.racer;
    const { numbers } = this.course.host(position);
    const one = (k: 0 | 1): CoordinateInside => {
      const inputs = [position.weights[k], gradient[k], position.state[k], numbers] as const;
      const outputs = rule.element(...inputs);
      return {
        weight: position.weights[k],
        gradient: gradient[k],
        state: together(rule.state, position.state[k]),
        named: together(rule.names, rule.named(...inputs)),
        outputs: together([rule.tensors[0] ?? "w", ...rule.state], outputs),
        step: (outputs[0] ?? NaN) - position.weights[k],
      };
    };
    const scalars = together(rule.scalars, position.scalars);
    return { t: position.t + 1, numbers, scalars, coordinates: [one(0), one(1)] };
  }

  private moment(): Moment {
    return { position: this.position, gradient: this.course.gradient(this.position) };
  }

  private note({ position: { weights }, gradient }: Moment): void {
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
}

/** A quotient for a chart: nan, which leaves a gap, where there is nothing to divide by. */
function quotient(above: number, below: number): number {
  return below > 0 ? above / below : NaN;
}

function together(names: readonly string[], values: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.map((name, k) => [name, values[k] ?? NaN]));
}
