/** Where the rules of a page go: as Python emitted them, and as their cards are compiled here. */

import { readFileSync } from "node:fs";
import { ruleOf, surfaceOf } from "../src/emitted";
import { compile } from "../src/language/compile";
import { shownMistake } from "../src/language/mistakes";
import type { PageData, Rule } from "../src/types";
import { Walker } from "../src/walker";

interface Walked {
  rule: string;
  surface: string;
  mistakes: string[]; // of the card
  card: string[][];
  emitted: string[][];
}

/** The walks of every rule over every surface of the page's data, in a file. Rules that have a
 *  learning rate have this one.
 */
export function walked(file: string, steps: number, learning_rate: number): Walked[] {
  const data = JSON.parse(readFileSync(file, "utf8")) as PageData;
  return data.surfaces.flatMap((ground) => {
    const surface = surfaceOf(ground);
    const walk = (rule: Rule): string[][] => {
      const hyperparameters = "learning_rate" in rule.hyperparameters ? { learning_rate } : {};
      const racer = { rule, hyperparameters, uncorrected: false };
      const walker = new Walker(racer, { surface, start: ground.start, noise: 0, seed: 0 });
      return Array.from({ length: steps }, () => {
        walker.step();
        return walker.weights.map(String); // all of their digits, nan too
      });
    };
    return data.rules.map((rule) => {
      const compiled = compile(rule.card, rule);
      const mistakes = "mistakes" in compiled ? compiled.mistakes.map(shownMistake) : [];
      const card = "rule" in compiled ? walk(compiled.rule) : [];
      return { rule: rule.name, surface: ground.name, mistakes, card, emitted: walk(ruleOf(rule)) };
    });
  });
}
