/** The map: three canvases, one over the other, of which each is drawn as seldom as can be. */

import { find } from "../dom";
import type { Explorer } from "../explorer";
import { type Inks, inks, trace } from "../palette";
import { drawAxes, drawLowest } from "./axes";
import { drawContours } from "./contours";
import { StartHandle } from "./start_handle";
import { Trails } from "./trails";
import { View } from "./view";

const EDGE = 9;

export class SurfaceMap {
  view: View;
  private box = find("map");
  private layers = ["map-contours", "map-trails", "map-markers"].map((id) => {
    const canvas = find<HTMLCanvasElement>(id);
    return { canvas, context: canvas.getContext("2d") as CanvasRenderingContext2D };
  });
  private trails = new Trails();
  private colours: Inks = inks();
  private fresh = true;
  private old: [number, number][] = [];

  constructor(private explorer: Explorer) {
    this.view = this.viewNow(1, 1);
    const handle = new StartHandle(explorer, () => this.view);
    new ResizeObserver(() => explorer.tell("surface")).observe(this.box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => explorer.tell("theme"));
    explorer.on(["surface", "theme"], () => this.drawSurface());
    explorer.on(["surface", "theme", "ground", "racers"], () => {
      this.fresh = true;
    });
    explorer.on(["surface", "ground", "playing", "time"], () => handle.place(), 250);
    explorer.on(["surface", "theme", "ground", "racers", "time", "shown"], () => this.drawRace());
  }

  private drawSurface(): void {
    const { clientWidth: width, clientHeight: height } = this.box;
    if (width === 0) return;
    const density = Math.min(devicePixelRatio || 1, 2);
    this.colours = inks();
    this.view = this.viewNow(width, height);
    for (const { canvas, context } of this.layers) {
      const [across, down] = [Math.round(width * density), Math.round(height * density)];
      if (canvas.width !== across || canvas.height !== down) {
        canvas.width = across;
        canvas.height = down;
      }
      context.setTransform(density, 0, 0, density, 0, 0);
    }
    const context = this.context(0);
    drawContours(context, this.explorer.surface, this.view, this.colours, 4);
    drawLowest(context, this.explorer.surface, this.view, this.colours);
    drawAxes(context, this.view, this.colours);
  }

  private drawRace(): void {
    const { race, slots } = this.explorer;
    this.trails.draw(this.context(1), race, slots, this.view, this.colours, this.fresh);
    this.fresh = false;
    const context = this.context(2);
    for (const [x, y] of this.old) context.clearRect(x - 14, y - 14, 28, 28);
    this.old = [];
    const { shown } = this.explorer.state;
    // The one whose card is shown comes last, so that it lies on top.
    const order = race.walkers
      .map((_, k) => k)
      .sort((a, b) => Number(a === shown) - Number(b === shown));
    for (const k of order) {
      const history = race.walkers[k]?.history;
      if (history === undefined) continue;
      const last = history.count - 1;
      const x = clamped(this.view.across(history.at("x", last)), this.view.width);
      const y = clamped(this.view.down(history.at("y", last)), this.view.height);
      if (!Number.isFinite(x + y)) continue;
      this.old.push([x, y]);
      trace(context, slots[k] ?? 0, x, y, k === shown ? 7 : 5.5);
      context.fillStyle = this.colours.rules[slots[k] ?? 0] ?? "";
      context.strokeStyle = this.colours.paper;
      context.lineWidth = 3;
      context.stroke();
      context.fill();
    }
  }

  private context(layer: number): CanvasRenderingContext2D {
    return (this.layers[layer] as { context: CanvasRenderingContext2D }).context;
  }

  private viewNow(width: number, height: number): View {
    return new View(this.explorer.surface.data.window, width, height);
  }
}

function clamped(pixel: number, size: number): number {
  return Math.min(Math.max(pixel, EDGE), size - EDGE);
}
