/** How long the first steps are, in learning rates, with bias correction and without. */

import { Walker } from "../../walker";
import { element } from "../dom";
import type { Explorer } from "../explorer";
import { inks } from "../palette";

const STEPS = 40;
const HEIGHT = 120;
const [LEFT, RIGHT, TOP, BOTTOM] = [36, 12, 12, 20];

export class FirstSteps {
  readonly node: HTMLElement;
  private canvas = element("canvas", { role: "img", id: "first-steps" });
  private caption = element("figcaption");
  private lines: { values: number[]; dashed: boolean }[] = [];
  private top = 1;

  constructor(private explorer: Explorer) {
    this.node = element("figure", { class: "first-steps" }, this.canvas, this.caption);
  }

  /** Walks the first steps anew. */
  measure(): void {
    const { racer, ground } = this.explorer.shownWalker;
    const ways = racer.rule.correctsBias
      ? [racer.uncorrected, !racer.uncorrected]
      : [racer.uncorrected];
    this.lines = ways.map((uncorrected, k) => {
      const walker = new Walker({ ...racer, uncorrected }, ground);
      const rate = walker.hyperparameters.learning_rate ?? NaN;
      const values: number[] = [];
      while (values.length < STEPS && walker.step()) {
        values.push(Math.abs(walker.inside("last")?.coordinates[0].step ?? NaN) / rate);
      }
      return { values, dashed: k === 1 };
    });
    this.top =
      Math.max(1.25, ...this.lines.flatMap(({ values }) => values).filter(Number.isFinite)) * 1.08;
    const [solid, dashed] = racer.uncorrected ? ["without", "with"] : ["with", "without"];
    const text =
      this.lines.length > 1
        ? `Along x. Solid: ${solid} correction; dashed: ${dashed}`
        : "Along x, the first steps";
    this.caption.textContent = text;
    const firsts = this.lines.map(({ values: [value] }) => value?.toPrecision(3)).join(" and ");
    this.canvas.setAttribute(
      "aria-label",
      `Step divided by learning rate over the first ${STEPS} steps. ${text}. It starts at ${firsts}.`,
    );
  }

  /** Draws them, with a mark at step `t`. */
  draw(t: number): void {
    const density = Math.min(devicePixelRatio || 1, 2);
    const width = this.canvas.clientWidth;
    if (this.canvas.width !== Math.round(width * density)) {
      this.canvas.width = Math.round(width * density);
      this.canvas.height = HEIGHT * density;
    }
    const context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
    context.setTransform(density, 0, 0, density, 0, 0);
    context.clearRect(0, 0, width, HEIGHT);
    const colours = inks();
    const across = (step: number) => LEFT + ((step - 1) / (STEPS - 1)) * (width - LEFT - RIGHT);
    const down = (value: number) =>
      HEIGHT - BOTTOM - (Math.min(value, this.top) / this.top) * (HEIGHT - TOP - BOTTOM);
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = colours.muted;
    context.strokeStyle = colours.line;
    context.textAlign = "right";
    context.textBaseline = "middle";
    const apart = Math.max(1, roundUp(this.top / 4));
    for (let level = 0; level < this.top; level += apart) {
      rule(context, level === 1 ? colours.muted : colours.line, LEFT, down(level), width - RIGHT);
      context.fillText(level === 0 ? "0" : `${level}×`, LEFT - 5, down(level));
    }
    context.textAlign = "center";
    for (const step of [1, 10, 20, 30, 40]) context.fillText(String(step), across(step), HEIGHT - 8);
    const colour = colours.rules[this.explorer.shownSlot] ?? "";
    for (const { values, dashed } of [...this.lines].reverse()) {
      context.strokeStyle = dashed ? colours.muted : colour;
      context.lineWidth = dashed ? 1.5 : 2.25;
      context.setLineDash(dashed ? [4, 3] : []);
      context.beginPath();
      values.forEach((value, k) => context.lineTo(across(k + 1), down(value)));
      context.stroke();
    }
    context.setLineDash([]);
    const here = this.lines[0]?.values[t - 1];
    if (here === undefined) return;
    context.beginPath();
    context.arc(across(t), down(here), 4.5, 0, 2 * Math.PI);
    context.fillStyle = colour;
    context.strokeStyle = colours.paper;
    context.lineWidth = 2;
    context.fill();
    context.stroke();
  }
}

function rule(
  context: CanvasRenderingContext2D,
  colour: string,
  from: number,
  down: number,
  to: number,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(from, Math.round(down) + 0.5);
  context.lineTo(to, Math.round(down) + 0.5);
  context.stroke();
}

/** The next of 1, 2, 5, 10, 20, 50, ... */
function roundUp(value: number): number {
  const decade = 10 ** Math.floor(Math.log10(value));
  return ([1, 2, 5, 10].find((factor) => factor * decade >= value) ?? 10) * decade;
}
