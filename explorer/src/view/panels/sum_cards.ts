/** Adam's card, with each line in the colour of the card that it comes from. */

import type { RuleData } from "../../types";
import { element } from "../dom";
import { mark, slotsOf } from "../palette";
import { assignments, nearest, type Piece } from "./shared_lines";

export interface SumCard {
  name: string;
  slot: number;
  code: HTMLElement;
}

/** The three cards; the last one is the sum of those before it. */
export function sumCards(parts: readonly RuleData[], sum: RuleData): SumCard[] {
  const slots = slotsOf([...parts, sum].map(({ name }) => name));
  const lines = parts.map(({ card }) => assignments(card));
  const marked = new Map<string, Piece[]>(); // "part line" -> its pieces, where Adam has the line too
  const total = assignments(sum.card).map((line) => {
    const [best] = lines
      .flatMap((own, part) => {
        const match = nearest(line, own);
        return match === null ? [] : [{ ...match, part }];
      })
      .sort((a, b) => b.share - a.share);
    if (best === undefined) return bandless(line);
    marked.set(`${best.part} ${best.line}`, best.others);
    return band(best.pieces, slots[best.part] ?? 0);
  });
  const cards = parts.map(({ name }, part) => {
    const own = lines[part] ?? [];
    const rows = own.map((line, k) => {
      const pieces = marked.get(`${part} ${k}`);
      return pieces === undefined ? plain(line) : band(pieces, slots[part] ?? 0);
    });
    return { name, slot: slots[part] ?? 0, code: element("pre", {}, ...rows) };
  });
  return [...cards, { name: sum.name, slot: slots.at(-1) ?? 0, code: element("pre", {}, ...total) }];
}

/** A card's title: its mark and its name. */
export function sumTitle({ name, slot }: SumCard): HTMLElement {
  return element("h4", { "data-slot": slot }, mark(slot), name);
}

function band(pieces: Piece[], slot: number): HTMLElement {
  const whole = pieces.every(({ shared }) => shared);
  const parts = pieces.map(({ text, shared }) => (shared ? element("mark", {}, text) : text));
  return element("span", { class: "band", "data-slot": slot, "data-equal": String(whole) }, ...parts);
}

function bandless(line: string): HTMLElement {
  return element("span", { class: "band new" }, line);
}

function plain(line: string): HTMLElement {
  return element("span", { class: "band own" }, line);
}
