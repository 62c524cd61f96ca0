/** How rules are named and listed. */

import type { RacerState } from "../../state";
import type { PageData } from "../../types";
import { element } from "../dom";

/** Options for a <select>, a family each group. */
export function ruleOptions(data: PageData): HTMLElement[] {
  const families = new Map<string, HTMLElement>();
  for (const { name, family, summary } of data.rules) {
    const label = family.replaceAll("_", " ");
    const group = families.get(family) ?? element("optgroup", { label });
    families.set(family, group);
    group.append(element("option", { value: name, title: summary }, name));
  }
  return [...families.values()];
}

/** For each racer its name, and what tells it from others: [name, note]. */
export function labels(racers: readonly RacerState[]): [string, string][] {
  const seen = new Map<string, number>();
  return racers.map(({ rule, uncorrected, card }) => {
    const notes = [uncorrected ? "uncorrected" : "", card === null ? "" : "edited"].filter(Boolean);
    const key = [rule, ...notes].join();
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    if (times > 1) notes.push(String(times));
    return [rule, notes.join(", ")];
  });
}
