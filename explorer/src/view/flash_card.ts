/** The shown rule as a flash card, for print: the question and a picture; below the fold, the answer. */

import { compile } from "../language/compile";
import { mathML } from "../language/mathml";
import { Walker } from "../walker";
import { element, find, parsed } from "./dom";
import type { Explorer } from "./explorer";
import { drawContours } from "./map/contours";
import { drawLowest } from "./map/axes";
import { drawTrail } from "./map/trails";
import { View } from "./map/view";
import { plain } from "./numbers";
import { inks, mark } from "./palette";

const [WIDTH, HEIGHT, DENSITY] = [640, 270, 2];
const STEPS = 150;

export function flashCard(explorer: Explorer): void {
  // What is printed is made only then: it costs a picture.
  window.addEventListener("beforeprint", () => fillCard(explorer));
  find("print-card").addEventListener("click", () => window.print());
}

function fillCard(explorer: Explorer): void {
  const { shown, shownSlot, shownWalker } = explorer;
  const data = explorer.ruleData(shown.rule);
  const text = shown.card ?? data.card;
  const compiled = compile(text, data);
  const defaults = Object.entries(shownWalker.racer.rule.hyperparameters);
  const front = element(
    "section",
    { class: "card-side" },
    element("p", { class: "card-family" }, data.family.replaceAll("_", " ")),
    element(
      "h2",
      {},
      mark(shownSlot),
      " How does ",
      element("em", {}, shown.rule),
      " update a weight?",
    ),
    picture(explorer),
    element(
      "p",
      { class: "card-caption" },
      `Its path on the surface “${explorer.surface.data.title}”${rateOf(shownWalker)}.`,
    ),
  );
  const back = element(
    "section",
    { class: "card-side" },
    element("p", { class: "card-summary" }, data.summary),
    element("p", { class: "card-caption" }, `Source: ${data.source}`),
    element("pre", {}, text),
    element(
      "div",
      { class: "card-answer" },
      element(
        "div",
        { class: "formulas" },
        "syntax" in compiled ? parsed(mathML(compiled.syntax)) : "",
      ),
      element(
        "dl",
        {},
        ...defaults.map(([name, value]) =>
          element("div", {}, element("dt", {}, name), element("dd", {}, plain(value))),
        ),
      ),
    ),
  );
  find("flash-card").replaceChildren(front, element("p", { class: "fold" }, "fold here"), back);
}

/** The learning rate of the path, which is another than the default below the fold. */
function rateOf({ hyperparameters: { learning_rate: rate } }: Walker): string {
  return rate === undefined ? "" : `, at a learning rate of ${plain(rate)}`;
}

/** Always on white, whatever the page's theme. */
function picture(explorer: Explorer): HTMLCanvasElement {
  const canvas = element("canvas", { width: WIDTH * DENSITY, height: HEIGHT * DENSITY });
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.scale(DENSITY, DENSITY);
  const root = document.documentElement;
  const before = root.dataset.theme;
  root.dataset.theme = "light";
  const colours = inks();
  if (before === undefined) delete root.dataset.theme;
  else root.dataset.theme = before;
  const view = new View(explorer.surface.data.window, WIDTH, HEIGHT);
  drawContours(context, explorer.surface, view, colours, 3);
  drawLowest(context, explorer.surface, view, colours);
  const { racer, ground } = explorer.shownWalker;
  const walker = new Walker(racer, ground);
  while (walker.t < STEPS && walker.step());
  drawTrail(context, walker, 0, view, colours.rules[explorer.shownSlot] ?? "");
  return canvas;
}
