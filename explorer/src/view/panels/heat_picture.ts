/** The heat map as a picture: cells, a ring where the rule is now, and a frame around the chosen cell. */

import type { Axis } from "../../heat";
import { mixed } from "../map/contours";
import type { Inks } from "../palette";

export const MARGIN = { left: 56, right: 8, top: 26, bottom: 40 };

export interface Picture {
  across: Axis;
  down: Axis;
  rows: (Float64Array | null)[];
  floor: number; // the lowest loss that there can be
  now: [number, number]; // the rule's own values
  cell: [number, number] | null; // column and row that the keys are at
}

/** Draws it. Low losses have the rule's colour, high ones fade, and what diverged is left empty. */
export function drawHeat(
  context: CanvasRenderingContext2D,
  width: number,
  height: number,
  picture: Picture,
  colours: Inks,
  colour: string,
): void {
  const { across, down, rows } = picture;
  context.clearRect(0, 0, width, height);
  const [inner, tall] = [width - MARGIN.left - MARGIN.right, height - MARGIN.top - MARGIN.bottom];
  const [wide, high] = [inner / across.values.length, tall / down.values.length];
  const [low, top] = extent(picture);
  rows.forEach((row, k) => {
    row?.forEach((loss, n) => {
      const [x, y] = [MARGIN.left + Math.round(n * wide), MARGIN.top + Math.round(k * high)];
      const share = (levelOf(loss, picture.floor) - low) / Math.max(top - low, 1e-9);
      context.fillStyle = Number.isFinite(loss)
        ? mixed(colour, colours.paper, 0.06 + 0.9 * Math.min(share, 1))
        : colours.paper;
      context.fillRect(x, y, Math.ceil(wide), Math.ceil(high));
      if (!Number.isFinite(loss)) cross(context, x, y, wide, high, colours.line);
    });
  });
  context.strokeStyle = colours.line;
  context.strokeRect(MARGIN.left + 0.5, MARGIN.top + 0.5, inner - 1, tall - 1);
  labels(context, picture, wide, high, width, height, colours);
  const at = [place(across, picture.now[0]), place(down, picture.now[1])] as const;
  if (at.every((position) => position >= -0.5)) {
    const [x, y] = [MARGIN.left + (at[0] + 0.5) * wide, MARGIN.top + (at[1] + 0.5) * high];
    ring(context, x, y, 7, colours.paper, 5);
    ring(context, x, y, 7, colours.ink, 2);
  }
  if (picture.cell !== null) {
    const [column, row] = picture.cell;
    context.lineWidth = 2;
    context.strokeStyle = colours.ink;
    context.strokeRect(MARGIN.left + column * wide, MARGIN.top + row * high, wide, high);
  }
}

/** A value's position among an axis' values, in cells; before -0.5 where it lies outside. */
export function place({ values }: Axis, value: number): number {
  const rising = (values.at(-1) ?? 0) > (values[0] ?? 0);
  for (let k = 0; k + 1 < values.length; k += 1) {
    const [a, b] = [values[k] ?? 0, values[k + 1] ?? 0];
    if (rising ? value >= a && value <= b : value <= a && value >= b)
      return k + (a === b ? 0 : (value - a) / (b - a));
  }
  return -1;
}

/** The logarithm of a loss above the lowest. */
export function levelOf(loss: number, floor: number): number {
  return Math.log10(Math.max(loss - floor, 1e-12));
}

/** From the best to the tenth-worst level: few bad cells shall not wash out the others. */
export function extent({ rows, floor }: Picture): [number, number] {
  const levels = rows
    .flatMap((row) => (row === null ? [] : [...row]))
    .filter(Number.isFinite)
    .map((loss) => levelOf(loss, floor))
    .sort((a, b) => a - b);
  return [levels[0] ?? 0, levels[Math.floor(levels.length * 0.95)] ?? 1];
}

function labels(
  context: CanvasRenderingContext2D,
  { across, down }: Picture,
  wide: number,
  high: number,
  width: number,
  height: number,
  colours: Inks,
): void {
  context.fillStyle = colours.muted;
  context.font = "11px system-ui, sans-serif";
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  for (const [value, n] of marks(across)) {
    context.fillText(short(value), MARGIN.left + (n + 0.5) * wide, height - MARGIN.bottom + 15);
  }
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (const [value, k] of marks(down)) {
    context.fillText(short(value), MARGIN.left - 6, MARGIN.top + (k + 0.5) * high);
  }
  context.fillStyle = colours.ink;
  context.textAlign = "center";
  context.textBaseline = "alphabetic";
  context.textAlign = "right";
  context.fillText(down.name, MARGIN.left - 6, 12);
  context.textAlign = "center";
  context.fillText(across.name, MARGIN.left + (width - MARGIN.left - MARGIN.right) / 2, height - 6);
}

/** Round values that an axis is marked at, and their places in cells. */
function marks(axis: Axis): [number, number][] {
  const rates = [1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.1, 1, 10, 100, 1000];
  const betas = [0, 0.5, 0.9, 0.99, 0.999, 0.9999];
  const round = axis.values.includes(0) ? betas : rates;
  return round
    .map((value): [number, number] => [value, place(axis, value)])
    .filter(([, at]) => at >= 0);
}

function short(value: number): string {
  const text =
    value >= 1e-3 || value === 0
      ? String(Number(value.toPrecision(value > 0.9 && value < 1 ? 4 : 2)))
      : value.toExponential(0);
  return text.replace("-", "−");
}

function cross(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  wide: number,
  high: number,
  colour: string,
): void {
  context.strokeStyle = colour;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(x + wide * 0.3, y + high * 0.3);
  context.lineTo(x + wide * 0.7, y + high * 0.7);
  context.moveTo(x + wide * 0.7, y + high * 0.3);
  context.lineTo(x + wide * 0.3, y + high * 0.7);
  context.stroke();
}

function ring(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colour: string,
  width: number,
): void {
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.strokeStyle = colour;
  context.lineWidth = width;
  context.stroke();
}
