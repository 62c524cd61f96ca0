/** What a test may read of the page: `window.explorer`. Nothing on the page depends on it. */

import { addressOf } from "../address";
import type { Explorer } from "./explorer";
import type { Trace } from "./frames";

export interface Hooks {
  trace: Trace;
  /** The state, and every number of every racer, in full precision. */
  snapshot(): unknown;
}

export function hooks(explorer: Explorer): Hooks {
  return {
    trace: explorer.frames.trace,
    snapshot: () => ({
      state: structuredClone(explorer.state),
      address: addressOf(explorer.state, explorer.data),
      playing: explorer.playing,
      t: explorer.race.t,
      racers: explorer.race.walkers.map((walker, k) => ({
        rule: explorer.state.racers[k]?.rule,
        slot: explorer.slots[k],
        t: walker.t,
        weights: [...walker.weights],
        loss: walker.loss,
        stopped: walker.stopped,
        hyperparameters: { ...walker.hyperparameters },
        inside: walker.inside("last"),
        next: walker.inside("next"),
      })),
    }),
  };
}
