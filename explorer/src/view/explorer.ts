/** What the page is about: its state, the race that follows from it, and who wants to know. */

import { MOST_STEPS, type PageState, type RacerState } from "../state";
import { ruleOf, surfaceOf, type Surface } from "../emitted";
import { compile } from "../language/compile";
import { Race } from "../race";
import type { PageData, Rule, RuleData, SurfaceData } from "../types";
import type { Racer, Walker } from "../walker";
import { Frames } from "./frames";
import { slotsOf } from "./palette";

/** What may change:
 *  surface  it, or its parameters      ground   the start, the noise, its seed
 *  racers   who races, and with what   shown    whose card is shown
 *  time     steps taken                playing  whether it runs
 */
export type Change =
  "surface" | "ground" | "racers" | "shown" | "time" | "playing" | "panel" | "theme" | "speed" | "heat";

interface Listener {
  changes: readonly Change[];
  every: number;
  last: number;
  due: boolean;
  call(): void;
}

export class Explorer {
  surface: Surface;
  race: Race;
  playing = false;
  readonly frames = new Frames((span) => this.frame(span));
  private racers: Racer[] = [];
  private listeners: Listener[] = [];
  private owed = 0;

  constructor(
    readonly data: PageData,
    public state: PageState,
  ) {
    this.surface = this.surfaceNow();
    this.racers = state.racers.map((racer) => this.racerOf(racer));
    this.race = new Race(this.ground(), this.racers);
    this.race.goTo(state.t);
  }

  /** Calls when one of these changed: once a frame, and while the race runs at most every so many milliseconds. */
  on(changes: readonly Change[], call: () => void, every = 0): void {
    this.listeners.push({ changes, every, last: 0, due: true, call });
    this.frames.ask();
  }

  /** Takes another state as a whole, as from the address. */
  load(state: PageState): void {
    this.state = state;
    this.playing = false;
    this.surface = this.surfaceNow();
    this.racers = state.racers.map((racer) => this.racerOf(racer));
    this.race = new Race(this.ground(), this.racers);
    this.race.goTo(state.t);
    this.tell(
      "surface",
      "ground",
      "racers",
      "shown",
      "time",
      "playing",
      "panel",
      "theme",
      "speed",
      "heat",
    );
  }

  ruleData(name: string): RuleData {
    const found = this.data.rules.find((rule) => rule.name === name);
    if (found === undefined) throw new Error(`The page has no rule ${name}.`);
    return found;
  }

  surfaceData(name: string): SurfaceData {
    const found = this.data.surfaces.find((surface) => surface.name === name);
    if (found === undefined) throw new Error(`The page has no surface ${name}.`);
    return found;
  }

  get shown(): RacerState {
    return this.state.racers[this.state.shown] as RacerState;
  }

  get shownWalker(): Walker {
    return this.race.walkers[this.state.shown] as Walker;
  }

  get slots(): number[] {
    return slotsOf(this.state.racers.map((racer) => racer.rule));
  }

  get shownSlot(): number {
    return this.slots[this.state.shown] ?? 0;
  }

  setSurface(name: string): void {
    const data = this.surfaceData(name);
    const parameters = Object.fromEntries(data.parameters.map((p) => [p.name, p.value]));
    Object.assign(this.state, { surface: name, parameters, start: [...data.start], noise: data.noise });
    this.surface = this.surfaceNow();
    this.race.reset();
    this.state.t = 0;
    this.moved("surface", "ground");
  }

  setParameter(name: string, value: number): void {
    this.state.parameters[name] = value;
    this.surface = this.surfaceNow();
    this.moved("surface");
  }

  setGround(given: Partial<Pick<PageState, "start" | "noise" | "seed">>): void {
    Object.assign(this.state, given);
    this.moved("ground");
  }

  /** Puts another in the place of racer number `place`; at the end, adds it. */
  setRacer(place: number, racer: RacerState): void {
    this.state.racers[place] = racer;
    this.racers[place] = this.racerOf(racer);
    this.race.enter(this.racers);
    this.tell("racers", "time");
  }

  removeRacer(place: number): void {
    if (this.state.racers.length === 1) return;
    this.state.racers.splice(place, 1);
    this.racers.splice(place, 1);
    const { shown } = this.state;
    this.state.shown = Math.min(shown > place ? shown - 1 : shown, this.racers.length - 1);
    this.race.enter(this.racers);
    this.tell("racers", "shown", "time");
  }

  show(place: number): void {
    if (place < 0 || place >= this.state.racers.length || place === this.state.shown) return;
    this.state.shown = place;
    this.tell("shown");
  }

  set<K extends "panel" | "theme" | "speed" | "heat">(name: K, value: PageState[K]): void {
    this.state[name] = value;
    this.tell(name);
  }

  play(playing: boolean): void {
    if (playing && (this.race.t >= MOST_STEPS || !this.awake)) this.reset();
    this.playing = playing;
    this.owed = 0;
    this.tell("playing");
  }

  reset(): void {
    this.race.reset();
    this.timed();
  }

  goTo(t: number): void {
    this.race.goTo(Math.min(Math.max(t, 0), MOST_STEPS));
    this.timed();
  }

  step(): void {
    this.goTo(this.race.t + 1);
  }

  tell(...changes: Change[]): void {
    for (const listener of this.listeners) {
      if (changes.some((change) => listener.changes.includes(change))) listener.due = true;
    }
    this.frames.ask();
  }

  /** The rule that a racer of the state is: the library's, or the reader's card where that is right. */
  ruleFor(racer: RacerState): Rule {
    const data = this.ruleData(racer.rule);
    if (racer.card !== null) {
      const compiled = compile(racer.card, data);
      if ("rule" in compiled) return compiled.rule;
    }
    return ruleOf(data);
  }

  private get awake(): boolean {
    return this.race.walkers.some((walker) => walker.stopped === "");
  }

  private frame(span: number): boolean {
    if (this.playing) this.advance(span);
    const now = performance.now();
    let waiting = false;
    for (const listener of this.listeners) {
      if (!listener.due) continue;
      if (this.playing && now - listener.last < listener.every) {
        waiting = true;
        continue;
      }
      listener.due = false;
      listener.last = now;
      listener.call();
    }
    return this.playing || waiting;
  }

  private advance(span: number): void {
    this.owed += (Math.min(span, 100) * this.state.speed) / 1000;
    const count = Math.min(Math.floor(this.owed), MOST_STEPS - this.race.t);
    this.owed -= Math.floor(this.owed);
    if (count > 0) {
      this.race.step(count);
      this.timed();
    }
    if (this.race.t >= MOST_STEPS || !this.awake) {
      this.playing = false;
      this.tell("playing", "time");
    }
  }

  private timed(): void {
    this.state.t = this.race.t;
    this.tell("time");
  }

  private moved(...changes: Change[]): void {
    this.race.move(this.ground());
    this.tell(...changes, "time");
  }

  private ground() {
    const { start, noise, seed } = this.state;
    return { surface: this.surface, start: [...start] as [number, number], noise, seed };
  }

  private surfaceNow(): Surface {
    return surfaceOf(this.surfaceData(this.state.surface), this.state.parameters);
  }

  private racerOf(racer: RacerState): Racer {
    const { hyperparameters, uncorrected } = racer;
    return { rule: this.ruleFor(racer), hyperparameters: { ...hyperparameters }, uncorrected };
  }
}
