/** Which part of the plane the map shows, with both axes at one scale: slopes look as steep as they are. */

import type { SurfaceData } from "../../types";

export class View {
  readonly scale: number; // pixels a unit
  private left: number;
  private top: number;

  /** The surface's window in the middle, whole, of so many pixels. */
  constructor(
    [left, right, low, high]: SurfaceData["window"],
    readonly width: number,
    readonly height: number,
  ) {
    this.scale = Math.min(width / (right - left), height / (high - low));
    this.left = (left + right - width / this.scale) / 2;
    this.top = (low + high + height / this.scale) / 2;
  }

  /** Pixels from the left, kept near enough for a canvas. */
  across(x: number): number {
    return kept((x - this.left) * this.scale);
  }

  /** Pixels from the top. */
  down(y: number): number {
    return kept((this.top - y) * this.scale);
  }

  x(across: number): number {
    return this.left + across / this.scale;
  }

  y(down: number): number {
    return this.top - down / this.scale;
  }
}

function kept(pixel: number): number {
  return Math.min(Math.max(pixel, -1e5), 1e5);
}
