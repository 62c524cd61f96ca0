/** The paths: only what is new is drawn, and everything again when something else changed. */

import type { Race } from "../../race";
import { Walker } from "../../walker";
import type { Inks } from "../palette";
import type { View } from "./view";

/** How many steps are foretold before the race begins, and how faintly. */
const [FORETOLD, FAINT] = [120, 0.4];
/** From this length in pixels on, a step's end gets a dot of its own. */
const DOTTED = 7;

export class Trails {
  private drawn = new Map<Walker, number>();
  private foretold = false;

  /** Draws what is not there yet; with `fresh`, all of it on an empty canvas. */
  draw(
    context: CanvasRenderingContext2D,
    race: Race,
    slots: number[],
    view: View,
    colours: Inks,
    fresh: boolean,
  ): void {
    if (race.t === 0) return this.foretell(context, race, slots, view, colours);
    const gone = race.walkers.some((walker) => (this.drawn.get(walker) ?? 0) >= walker.history.count);
    if (fresh || gone || this.foretold || this.drawn.size !== race.walkers.length) {
      context.clearRect(0, 0, view.width, view.height);
      this.drawn = new Map(race.walkers.map((walker) => [walker, 0]));
      this.foretold = false;
    }
    race.walkers.forEach((walker, k) => {
      const colour = colours.rules[slots[k] ?? 0] ?? "";
      drawTrail(context, walker, this.drawn.get(walker) ?? 0, view, colour);
      this.drawn.set(walker, walker.history.count - 1);
    });
  }

  /** Before the first step: where the paths will lead, so that the start can be chosen by it. */
  private foretell(
    context: CanvasRenderingContext2D,
    race: Race,
    slots: number[],
    view: View,
    colours: Inks,
  ): void {
    context.clearRect(0, 0, view.width, view.height);
    context.globalAlpha = FAINT;
    race.walkers.forEach(({ racer, ground }, k) => {
      const walker = new Walker(racer, ground);
      while (walker.t < FORETOLD && walker.step());
      drawTrail(context, walker, 0, view, colours.rules[slots[k] ?? 0] ?? "", false);
    });
    context.globalAlpha = 1;
    this.foretold = true;
  }
}

/** Draws a walker's path from row `from` of its history on. */
export function drawTrail(
  context: CanvasRenderingContext2D,
  walker: Walker,
  from: number,
  view: View,
  colour: string,
  dotted = true,
): void {
  const [xs, ys] = [walker.history.column("x"), walker.history.column("y")];
  if (xs.length - from < 2) return;
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = dotted ? 2 : 1.75;
  context.lineJoin = context.lineCap = "round";
  context.beginPath();
  const dots: [number, number][] = [];
  let [across, down] = [view.across(xs[from] ?? 0), view.down(ys[from] ?? 0)];
  context.moveTo(across, down);
  for (let row = from + 1; row < xs.length; row += 1) {
    const [nextAcross, nextDown] = [view.across(xs[row] ?? 0), view.down(ys[row] ?? 0)];
    context.lineTo(nextAcross, nextDown);
    if (Math.abs(nextAcross - across) + Math.abs(nextDown - down) > DOTTED)
      dots.push([nextAcross, nextDown]);
    [across, down] = [nextAcross, nextDown];
  }
  context.stroke();
  if (!dotted) return;
  context.beginPath();
  for (const [x, y] of dots) {
    context.moveTo(x + 2.75, y);
    context.arc(x, y, 2.75, 0, 2 * Math.PI);
  }
  context.fill();
}
