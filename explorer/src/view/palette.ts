/** The colour and the shape of each rule of the race, and the map's colours. */

import { drawn } from "./dom";

/** Colours stand in style.css as --rule-0 to --rule-5, after Okabe and Ito, for light and for dark.
 *  Momentum is blue, RMSProp vermilion, and Adam their mixture.
 */
const OWN: Record<string, number> = { momentum: 0, rmsprop: 1, adam: 2 };
const FREE = [3, 4, 5, 0, 1, 2];

/** Corners of the marks, in units of their radius; a circle has none. */
const SHAPES: readonly (readonly (readonly [number, number])[])[] = [
  [],
  corners(4, 1.15, 45),
  corners(3, 1.35, -90),
  corners(4, 1.35, 0),
  star(),
  corners(6, 1.15, 0),
];

/** A place in the palette for each rule of the race: its own where it has one, else a free one. */
export function slotsOf(names: readonly string[]): number[] {
  const taken = new Set<number>();
  const slots = names.map((name) => {
    const own = OWN[name];
    if (own === undefined || taken.has(own)) return -1;
    taken.add(own);
    return own;
  });
  return slots.map((slot) => {
    if (slot >= 0) return slot;
    const free = FREE.find((place) => !taken.has(place)) ?? 0;
    taken.add(free);
    return free;
  });
}

/** The outline of a slot's mark around (x, y). */
export function trace(
  path: CanvasRenderingContext2D,
  slot: number,
  x: number,
  y: number,
  radius: number,
): void {
  const shape = SHAPES[slot] ?? [];
  path.beginPath();
  if (shape.length === 0) path.arc(x, y, radius, 0, 2 * Math.PI);
  shape.forEach(([dx, dy], k) => {
    if (k === 0) path.moveTo(x + dx * radius, y + dy * radius);
    else path.lineTo(x + dx * radius, y + dy * radius);
  });
  path.closePath();
}

/** The same mark for an <svg viewBox="-8 -8 16 16">. */
export function markShape(slot: number): SVGElement {
  const shape = SHAPES[slot] ?? [];
  if (shape.length === 0) return drawn("circle", { r: 5 });
  return drawn("polygon", { points: shape.map(([x, y]) => `${x * 5},${y * 5}`).join(" ") });
}

/** A mark as a picture of its own. */
export function mark(slot: number): SVGElement {
  const attributes = {
    class: "mark",
    viewBox: "-8 -8 16 16",
    "aria-hidden": "true",
    "data-slot": slot,
  };
  return drawn("svg", attributes, markShape(slot));
}

export interface Inks {
  rules: string[];
  low: string; // the map where it is lowest
  high: string;
  contour: string;
  ink: string;
  muted: string;
  line: string;
  paper: string;
}

/** The colours that the style sheet says just now, as a canvas needs them. */
export function inks(): Inks {
  const probe = document.createElement("i");
  document.body.append(probe);
  const read = (name: string): string => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const found: Inks = {
    rules: SHAPES.map((_, slot) => read(`rule-${slot}`)),
    low: read("map-low"),
    high: read("map-high"),
    contour: read("map-contour"),
    ink: read("ink"),
    muted: read("muted"),
    line: read("line"),
    paper: read("paper"),
  };
  probe.remove();
  return found;
}

function corners(count: number, radius: number, turn: number): [number, number][] {
  return Array.from({ length: count }, (_, k) => {
    const angle = (turn / 180 + (2 * k) / count) * Math.PI;
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}

function star(): [number, number][] {
  return Array.from({ length: 10 }, (_, k) => {
    const [angle, radius] = [(k / 5 - 0.5) * Math.PI, k % 2 === 0 ? 1.55 : 0.68];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  });
}
