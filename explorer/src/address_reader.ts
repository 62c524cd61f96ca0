/** The text after `#`, to the state of the page. It comes from strangers: nothing in it is trusted. */

import { finite, Notes } from "./address_notes";
import { MOST_RACERS } from "./race";
import {
  defaultState,
  FASTEST,
  groundState,
  LARGEST_SEED,
  MOST_STEPS,
  type PageState,
  PANELS,
  plainRacer,
  type RacerState,
  THEMES,
  UNCORRECTED,
} from "./state";
import type { PageData } from "./types";

const IDENTIFIER = /^[\p{L}_][\p{L}\p{N}_]*$/u;

/** The state that a text says, and a note for the reader for whatever in it could not be taken. */
export function stateOf(address: string, data: PageData): { state: PageState; notes: string[] } {
  const reader = new AddressReader(data);
  return { state: reader.read(address.replace(/^#/, "")), notes: reader.notes.list };
}

class AddressReader {
  readonly notes = new Notes();
  private racers: RacerState[] = [];

  constructor(private readonly data: PageData) {}

  read(address: string): PageState {
    const pairs = this.pairs(address);
    const state = { ...defaultState(this.data) };
    for (const [key, value] of pairs) if (key === "surface") this.surface(state, value);
    for (const [key, value] of pairs) this.take(state, key, value);
    const named = pairs.some(([key]) => key === "rule");
    if (named && this.racers.length === 0) this.notes.list.push("No rule of the address is known here.");
    if (this.racers.length > 0) state.racers = this.racers.map((racer) => this.settled(racer));
    const last = state.racers.length - 1;
    const shown = pairs.findLast(([key]) => key === "shown")?.[1];
    state.shown = shown === undefined ? last : this.notes.number("shown", shown, 0, last, true, last);
    return state;
  }

  private pairs(address: string): [string, string][] {
    const found: [string, string][] = [];
    for (const part of address.split("&")) {
      if (part === "") continue;
      const at = part.indexOf("=");
      const text = part.slice(at + 1).replaceAll("+", " ");
      try {
        if (at < 0) throw new URIError();
        found.push([part.slice(0, at), decodeURIComponent(text)]);
      } catch {
        this.notes.list.push(`"${part.slice(0, 40)}" in the address could not be read.`);
      }
    }
    return found;
  }

  private surface(state: PageState, name: string): void {
    const names = this.data.surfaces.map((each) => each.name);
    const found = this.data.surfaces.find((each) => each.name === name);
    if (found !== undefined) Object.assign(state, groundState(found));
    else this.notes.unknown("surface", name, names);
  }

  private take(state: PageState, key: string, value: string): void {
    switch (key) {
      case "surface":
      case "shown":
        return; // before and after all others
      case "p":
        return this.parameter(state, value);
      case "start": {
        const [x, y, more] = value.split(",").map(finite);
        if (x == null || y == null || more !== undefined) this.notes.wrong(key, value, "two numbers");
        else state.start = [x, y];
        return;
      }
      case "rule":
        return this.rule(value);
      case "card":
        return this.card(value);
      case "noise":
        state.noise = this.notes.number(key, value, 0, Number.MAX_VALUE, false, state.noise);
        return;
      case "seed":
        state.seed = this.notes.number(key, value, 0, LARGEST_SEED, true, state.seed);
        return;
      case "t":
        state.t = this.notes.number(key, value, 0, MOST_STEPS, true, state.t);
        return;
      case "speed":
        state.speed = this.notes.number(key, value, 0, FASTEST, false, state.speed);
        return;
      case "heat":
        if (IDENTIFIER.test(value)) state.heat = value;
        else this.notes.wrong(key, value, "a hyperparameter");
        return;
      case "panel":
        state.panel = this.notes.oneOf(key, value, PANELS, state.panel);
        return;
      case "theme":
        state.theme = this.notes.oneOf(key, value, THEMES, state.theme);
        return;
      default: {
        const keys = ["surface", "start", "noise", "seed", "rule", "panel", "speed", "heat", "theme"];
        this.notes.unknown("setting", key, keys);
      }
    }
  }

  private parameter(state: PageState, text: string): void {
    const [name = "", value = ""] = text.split(":");
    const surface = this.data.surfaces.find((each) => each.name === state.surface);
    const found = surface?.parameters.find((each) => each.name === name);
    if (found === undefined) {
      return this.notes.unknown("parameter", name, surface?.parameters.map((each) => each.name) ?? []);
    }
    const usual = state.parameters[name] ?? found.value;
    const taken = this.notes.number(name, value, found.low, found.high, false, usual);
    state.parameters = { ...state.parameters, [name]: taken };
  }

  /** A racer without a card of its own has numbers of its rule only; an edited card has its own. */
  private settled(racer: RacerState): RacerState {
    const rule = this.data.rules.find(({ name }) => name === racer.rule);
    if (rule === undefined || racer.card !== null) return racer;
    const kept = Object.entries(racer.hyperparameters).filter(([name, value]) => {
      if (!Object.hasOwn(rule.hyperparameters, name)) {
        this.notes.unknown(`hyperparameter of ${rule.name}`, name, Object.keys(rule.hyperparameters));
        return false;
      }
      const [low, below] = rule.ranges[name] ?? [null, null];
      const fits = (low === null || value >= low) && (below === null || value < below);
      const bounds = [low === null ? "" : `at least ${low}`, below === null ? "" : `below ${below}`];
      if (!fits) this.notes.wrong(name, String(value), bounds.filter(Boolean).join(" and "));
      return fits && !Object.is(value, rule.hyperparameters[name]);
    });
    return { ...racer, hyperparameters: Object.fromEntries(kept) };
  }

  private rule(text: string): void {
    const [name = "", ...settings] = text.split(",");
    const rule = this.data.rules.find((each) => each.name === name);
    if (rule === undefined) {
      return this.notes.unknown("rule", name, this.data.rules.map((each) => each.name));
    }
    if (this.racers.length === MOST_RACERS) {
      this.notes.list.push(`${name} is left out: there is room for ${MOST_RACERS} rules.`);
      return;
    }
    const racer = plainRacer(name);
    for (const setting of settings) {
      const [word = "", value] = setting.split("=");
      if (value === undefined && word === UNCORRECTED) racer.uncorrected = true;
      else this.hyperparameter(racer, word, value ?? "");
    }
    this.racers.push(racer);
  }

  private hyperparameter(racer: RacerState, name: string, text: string): void {
    const value = finite(text);
    if (IDENTIFIER.test(name) && value !== null) {
      racer.hyperparameters[name] = value;
    } else {
      this.notes.wrong(name, text, `a number of ${racer.rule}`);
    }
  }

  private card(text: string): void {
    const racer = this.racers.at(-1);
    if (racer === undefined) this.notes.list.push("A card in the address belongs to no rule.");
    else racer.card = text;
  }
}
