/** The whole state of the page, and the text after `#` that says it. */

import type { PageData } from "./types";

export const PANELS = ["card", "inside", "charts", "heat", "sum"] as const;
export type Panel = (typeof PANELS)[number];
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

/** One rule of the race. */
export interface RacerState {
  rule: string; // the name of a rule of the page
  hyperparameters: Record<string, number>; // those that differ from the rule's own, or the card's
  uncorrected: boolean; // bias correction switched off
  card: string | null; // its text, where the reader edited it
}

export interface PageState {
  surface: string;
  parameters: Record<string, number>; // every parameter of the surface
  start: [number, number];
  noise: number;
  seed: number;
  racers: RacerState[]; // one to six
  shown: number; // the racer whose card and inside are shown
  panel: Panel;
  t: number; // steps taken
  speed: number; // steps a second
  heat: string; // the hyperparameter down the side of the heat map; "" for the first there is
  theme: Theme;
}

/** What the page shows when nothing follows the `#`. */
export function defaultState(data: PageData): PageState {
  throw new Error(`not written yet: ${data.version}`);
}

/** The state as text, without the `#`: what is as by default is left out. */
export function addressOf(state: PageState, data: PageData): string {
  throw new Error(`not written yet: ${state.surface} ${data.version}`);
}

/** The state that a text says, and a note for the reader for whatever in it could not be taken. */
export function stateOf(address: string, data: PageData): { state: PageState; notes: string[] } {
  throw new Error(`not written yet: ${address} ${data.version}`);
}
