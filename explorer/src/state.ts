/** The whole state of the page. */

import type { PageData, SurfaceData } from "./types";

export const PANELS = ["card", "inside", "charts", "heat", "sum"] as const;
export type Panel = (typeof PANELS)[number];
export const THEMES = ["system", "light", "dark"] as const;
export type Theme = (typeof THEMES)[number];

export const MOST_STEPS = 5000;
export const FASTEST = 1000; // steps a second
export const LARGEST_SEED = 2 ** 32 - 1;

/** The word in an address for a racer whose bias correction is off. */
export const UNCORRECTED = "uncorrected";

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
  seed: number; // a whole number from 0 to LARGEST_SEED
  racers: RacerState[]; // one to six
  shown: number; // the racer whose card and inside are shown; the last one at first
  panel: Panel;
  t: number; // steps taken, up to MOST_STEPS
  speed: number; // steps a second, up to FASTEST
  heat: string; // the hyperparameter down the side of the heat map; "" for the first there is
  theme: Theme;
}

/** The rules that race at first, if nobody said which: what Adam is made of, and Adam. */
const FIRST = ["momentum", "rmsprop", "adam"];

/** What the page shows when nothing follows the `#`, on this surface or the first. */
export function defaultState(data: PageData, surface = data.surfaces[0]): PageState {
  const first = (data.first ?? FIRST).filter((name) => data.rules.some((rule) => rule.name === name));
  const names = first.length > 0 ? first : data.rules.slice(0, 1).map((rule) => rule.name);
  return {
    ...groundState(surface),
    seed: 0,
    racers: names.map(plainRacer),
    shown: names.length - 1,
    panel: "card",
    t: 0,
    speed: 30,
    heat: "",
    theme: "system",
  };
}

/** A surface as it is at first: its parameters, its start, its noise. */
export function groundState(
  surface: SurfaceData | undefined,
): Pick<PageState, "surface" | "parameters" | "start" | "noise"> {
  const parameters = (surface?.parameters ?? []).map(({ name, value }) => [name, value]);
  return {
    surface: surface?.name ?? "",
    parameters: Object.fromEntries(parameters),
    start: [...(surface?.start ?? [0, 0])],
    noise: surface?.noise ?? 0,
  };
}

/** A rule with its own numbers. */
export function plainRacer(rule: string): RacerState {
  return { rule, hyperparameters: {}, uncorrected: false, card: null };
}
