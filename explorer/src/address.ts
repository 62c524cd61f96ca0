/** The state of the page as the text after `#`, so that a view can be linked:
 *
 *  surface=ravine&p=condition:50&start=-4,2&rule=adam,learning_rate=0.1,uncorrected&t=120
 *
 *  What is as by default is left out. Numbers have the fewest digits that give them back exactly.
 */

import { defaultState, type PageState, type RacerState, UNCORRECTED } from "./state";
import type { PageData } from "./types";

export * from "./state";
export { stateOf } from "./address_reader";

/** The state as text, without the `#`. */
export function addressOf(state: PageState, data: PageData): string {
  const surface = data.surfaces.find(({ name }) => name === state.surface);
  const usual = { ...defaultState(data, surface), shown: state.racers.length - 1 };
  const first = defaultState(data);
  const parts: string[] = [];
  const add = (key: string, value: string): void => {
    parts.push(`${key}=${escaped(value)}`);
  };
  if (state.surface !== first.surface) add("surface", state.surface);
  for (const [name, value] of Object.entries(state.parameters)) {
    if (!Object.is(value, usual.parameters[name])) add("p", `${name}:${shortest(value)}`);
  }
  if (state.start.some((value, k) => !Object.is(value, usual.start[k]))) {
    add("start", state.start.map(shortest).join(","));
  }
  const racers = state.racers.flatMap((racer) => racerParts(racer, data));
  const usualRacers = usual.racers.flatMap((racer) => racerParts(racer, data));
  if (racers.join("\n") !== usualRacers.join("\n")) {
    for (const [key, value] of racers) add(key, value);
  }
  for (const key of ["noise", "seed", "shown", "t", "speed"] as const) {
    if (!Object.is(state[key], usual[key])) add(key, shortest(state[key]));
  }
  for (const key of ["panel", "heat", "theme"] as const) {
    if (state[key] !== usual[key]) add(key, state[key]);
  }
  return parts.join("&");
}

/** `rule=` and, where it was edited, the `card=` that follows it. */
function racerParts(racer: RacerState, data: PageData): [string, string][] {
  const own = data.rules.find(({ name }) => name === racer.rule)?.hyperparameters ?? {};
  const numbers = Object.entries(racer.hyperparameters)
    .filter(([name, value]) => racer.card !== null || !Object.is(own[name], value))
    .map(([name, value]) => `${name}=${shortest(value)}`);
  const words = [racer.rule, ...numbers, ...(racer.uncorrected ? [UNCORRECTED] : [])];
  const rule: [string, string] = ["rule", words.join(",")];
  return racer.card === null ? [rule] : [rule, ["card", racer.card]];
}

/** A number with the fewest digits that give it back. */
function shortest(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** Text for an address: what may stand there stands there, so that a card can be read in it. */
function escaped(text: string): string {
  return text
    .replace(/\p{Surrogate}/gu, "\uFFFD") // half a character
    .replace(/[^A-Za-z0-9\-._~()*,;=:@/?!' ]/gu, encodeURIComponent)
    .replace(/[!']/g, (character) => `%${character.charCodeAt(0).toString(16)}`)
    .replaceAll(" ", "+");
}
