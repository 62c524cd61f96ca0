/** Numbers along the map's left and lower edge, and its lowest points. */

import type { Surface } from "../../emitted";
import type { Inks } from "../palette";
import type { View } from "./view";

/** Draws ticks with their numbers, about one every 90 pixels. */
export function drawAxes(context: CanvasRenderingContext2D, view: View, colours: Inks): void {
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = colours.muted;
  context.strokeStyle = colours.muted;
  context.lineWidth = 1;
  const step = round(90 / view.scale);
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const x of ticks(view.x(28), view.x(view.width - 16), step)) {
    const across = Math.round(view.across(x)) + 0.5;
    stroke(context, across, view.height, across, view.height - 4);
    context.fillText(label(x, step), across, view.height - 8);
  }
  context.textAlign = "left";
  context.textBaseline = "middle";
  for (const y of ticks(view.y(view.height - 28), view.y(16), step)) {
    const down = Math.round(view.down(y)) + 0.5;
    stroke(context, 0, down, 4, down);
    context.fillText(label(y, step), 8, down);
  }
}

/** A small cross at every lowest point. */
export function drawLowest(
  context: CanvasRenderingContext2D,
  surface: Surface,
  view: View,
  colours: Inks,
): void {
  context.strokeStyle = colours.ink;
  context.lineWidth = 1.5;
  for (const [x, y] of surface.data.lowest) {
    const [across, down] = [view.across(x), view.down(y)];
    stroke(context, across - 5, down, across + 5, down);
    stroke(context, across, down - 5, across, down + 5);
  }
}

function stroke(
  context: CanvasRenderingContext2D,
  fromX: number,
  fromY: number,
  toX: number,
  toY: number,
): void {
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}

/** 1, 2 or 5 times a power of ten, at least `least`. */
function round(least: number): number {
  const power = 10 ** Math.floor(Math.log10(least));
  return power * ([1, 2, 5].find((factor) => factor * power >= least) ?? 10);
}

function ticks(from: number, to: number, step: number): number[] {
  const first = Math.ceil(from / step);
  return Array.from(
    { length: Math.max(Math.floor(to / step) - first + 1, 0) },
    (_, k) => (first + k) * step,
  );
}

function label(value: number, step: number): string {
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return (Math.abs(value) < step / 2 ? "0" : value.toFixed(digits)).replace("-", "−");
}
