/** The surface as shades and lines of equal height, on a log scale above its lowest point. */

import { contours } from "d3-contour";
import type { Surface } from "../../emitted";
import type { Inks } from "../palette";
import type { View } from "./view";

const BANDS = 15;

/** Draws the surface over the whole canvas. `cell` is how many pixels lie between two heights. */
export function drawContours(
  context: CanvasRenderingContext2D,
  surface: Surface,
  view: View,
  colours: Inks,
  cell: number,
): void {
  const columns = Math.ceil(view.width / cell) + 2;
  const rows = Math.ceil(view.height / cell) + 2;
  const heights = new Float64Array(columns * rows);
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      // d3-contour takes a height to stand in the middle of its cell.
      const [x, y] = [view.x((column - 0.5) * cell), view.y((row - 0.5) * cell)];
      heights[row * columns + column] = surface.height(x, y);
    }
  }
  const levels = levelled(heights, surface);
  const shapes = contours().size([columns, rows]).smooth(true).thresholds(levels)(
    heights as unknown as number[],
  );
  context.fillStyle = colours.low;
  context.fillRect(0, 0, view.width, view.height);
  context.lineWidth = 1;
  context.lineJoin = "round";
  context.strokeStyle = colours.contour;
  shapes.forEach((shape, k) => {
    context.beginPath();
    for (const polygon of shape.coordinates) {
      for (const ring of polygon) {
        ring.forEach((point, n) => {
          const [across, down] = [((point[0] ?? 0) - 1) * cell, ((point[1] ?? 0) - 1) * cell];
          if (n === 0) context.moveTo(across, down);
          else context.lineTo(across, down);
        });
        context.closePath();
      }
    }
    context.fillStyle = mixed(colours.low, colours.high, (k + 1) / levels.length);
    context.fill("evenodd");
    context.stroke();
  });
}

/** Replaces heights by what is even on the map, and answers where the lines are. */
function levelled(heights: Float64Array, surface: Surface): number[] {
  const known = surface.data.lowest.map(([x, y]) => surface.height(x, y));
  const sorted = heights.filter(Number.isFinite).sort();
  const middle = sorted[sorted.length >> 1] ?? 1;
  // Without a lowest point (a saddle) heights count from 0, both ways.
  const floor = known.length > 0 ? Math.min(...known) : 0;
  const unit = Math.max(Math.abs(middle - floor), 1e-12) / (known.length > 0 ? 300 : 10);
  for (let k = 0; k < heights.length; k += 1)
    heights[k] = Math.asinh(((heights[k] ?? 0) - floor) / unit);
  const ends = [sorted[0] ?? 0, sorted[sorted.length - 1] ?? 1].map((h) =>
    Math.asinh((h - floor) / unit),
  );
  const [low, high] = [known.length > 0 ? Math.asinh(1) : (ends[0] ?? 0), ends[1] ?? 1];
  return Array.from({ length: BANDS }, (_, k) => low + ((high - low) * (k + 0.5)) / BANDS);
}

/** A colour between two that are written as rgb(r, g, b). */
export function mixed(from: string, to: string, share: number): string {
  const [a, b] = [from, to].map((text) => (text.match(/[\d.]+/g) ?? []).map(Number));
  const parts = [0, 1, 2].map((k) => (a?.[k] ?? 0) + ((b?.[k] ?? 0) - (a?.[k] ?? 0)) * share);
  return `rgb(${parts.map((part) => Math.round(part)).join(" ")})`;
}
