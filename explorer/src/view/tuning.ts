/** A learning rate that suits the surface: the rules' own are for networks, and far too small here. */

import type { RacerState } from "../state";
import { Walker } from "../walker";
import type { Explorer } from "./explorer";

const RATES = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1];
const STEPS = 150;
/** The longest steps are no longer, in the mean, than this share of the map: a path shall bend, not jump. */
const [LEAP, LONGEST] = [1 / 18, 5];

/** The racer with that one of some learning rates whose path, without leaps, is lowest over its length. */
export function tuned(explorer: Explorer, racer: RacerState): RacerState {
  const rule = explorer.ruleFor(racer);
  if (!("learning_rate" in rule.hyperparameters)) return racer;
  const { start, noise, seed } = explorer.state;
  const ground = { surface: explorer.surface, start, noise, seed };
  const [left, right] = explorer.surface.data.window;
  let [best, least] = [rule.hyperparameters.learning_rate ?? 0, Infinity];
  for (const learning_rate of RATES) {
    const hyperparameters = { ...racer.hyperparameters, learning_rate };
    const walker = new Walker({ rule, hyperparameters, uncorrected: racer.uncorrected }, ground);
    while (walker.t < STEPS && walker.step());
    const longest = walker.history.column("step").slice(1).sort().slice(-LONGEST);
    const leap = longest.reduce((sum, step) => sum + step, 0) / LONGEST / (right - left);
    const cost =
      walker.stopped || leap > LEAP ? Infinity : meanLog(walker.history.column("loss"), explorer);
    if (cost < least) [best, least] = [learning_rate, cost];
  }
  return { ...racer, hyperparameters: { ...racer.hyperparameters, learning_rate: best } };
}

/** Gives every racer a learning rate that suits the surface. */
export function suitAll(explorer: Explorer): void {
  explorer.state.racers.forEach((racer, k) => explorer.setRacer(k, tuned(explorer, racer)));
}

function meanLog(losses: Float64Array, { surface }: Explorer): number {
  const floor = Math.min(...surface.data.lowest.map(([x, y]) => surface.height(x, y)), ...losses);
  return losses.reduce((sum, loss) => sum + Math.log(loss - floor + 1e-6), 0) / losses.length;
}
