/** Up to six rules on one surface, from one start, with the same noise. */

import { type Ground, type Racer, Walker } from "./walker";

export const MOST_RACERS = 6;

/** A race. Nothing in it is left to chance, so any step of it can be gone to again. */
export class Race {
  walkers: Walker[] = [];
  /** Steps that the race has taken; a walker that stopped has taken fewer. */
  t = 0;

  constructor(
    private ground: Ground,
    racers: readonly Racer[],
  ) {
    this.enter(racers);
  }

  /** Steps all walkers `count` times; false where every one of them has stopped. */
  step(count = 1): boolean {
    for (let k = 0; k < count; k += 1) {
      if (this.walkers.every((walker) => walker.stopped)) return false;
      for (const walker of this.walkers) walker.step();
      this.t += 1;
    }
    return true;
  }

  /** All back to the start. */
  reset(): void {
    this.t = 0;
    for (const walker of this.walkers) walker.reset();
  }

  /** To step `t`: forward from here, or again from the start. */
  goTo(t: number): void {
    if (t < this.t) this.reset();
    this.step(t - this.t);
  }

  /** Puts the racers on another ground; they walk on to the step that they were at. */
  move(ground: Ground): void {
    this.ground = ground;
    this.enter(this.walkers.map((walker) => walker.racer));
  }

  /** Lets these race instead; who has not changed keeps his path, the others catch up. */
  enter(racers: readonly Racer[]): void {
    if (racers.length > MOST_RACERS) {
      throw new RangeError(`${racers.length} racers; there is room for ${MOST_RACERS}.`);
    }
    const old = this.walkers.filter((walker) => walker.ground === this.ground);
    this.walkers = racers.map(
      (racer) => old.find((walker) => walker.racer === racer) ?? new Walker(racer, this.ground),
    );
    for (const walker of this.walkers) while (walker.t < this.t && walker.step());
  }
}
