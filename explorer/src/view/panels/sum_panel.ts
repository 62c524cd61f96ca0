/** *Adam = Momentum + RMSProp*: three paths, and three cards with what they share. */

import { Walker } from "../../walker";
import { drawContours } from "../map/contours";
import { drawLowest } from "../map/axes";
import { drawTrail } from "../map/trails";
import { View } from "../map/view";
import { element, find } from "../dom";
import type { Explorer } from "../explorer";
import { inks } from "../palette";
import { tuned } from "../tuning";
import { type SumCard, sumCards, sumTitle } from "./sum_cards";

const [PARTS, SUM] = [["momentum", "rmsprop"], "adam"];

export function sumPanel(explorer: Explorer): void {
  const panel = find("panel-sum");
  const known = new Set(explorer.data.rules.map(({ name }) => name));
  if (![...PARTS, SUM].every((name) => known.has(name))) {
    find("tab-sum").hidden = true;
    return;
  }
  const cards = sumCards(
    PARTS.map((name) => explorer.ruleData(name)),
    explorer.ruleData(SUM),
  );
  const maps = cards.map((card) => new SmallMap(explorer, card));
  const signs = ["+", "="];
  const row = element("div", { class: "sum" });
  cards.forEach((card, k) => {
    const body = element(
      "section",
      { class: "sum-card", "data-rule": card.name },
      sumTitle(card),
      maps[k]?.canvas ?? "",
      card.code,
    );
    row.append(body);
    if (signs[k])
      row.append(element("span", { class: "sum-sign", "aria-hidden": "true" }, signs[k] ?? ""));
  });
  panel.append(
    element("h3", { class: "unseen" }, "Adam = Momentum + RMSProp"),
    element(
      "p",
      { class: "lesson" },
      "Momentum remembers where the gradients pointed, RMSProp how large they were; Adam takes the direction from the one and the size of the step from the other. What is left, the lines for mt and vt, mends only the beginning: both memories start at 0, and are divided by how full they are.",
    ),
    row,
    element(
      "p",
      { class: "sum-key" },
      element("span", { class: "band", "data-slot": 0 }, element("mark", {}, "from Momentum")),
      element("span", { class: "band", "data-slot": 1 }, element("mark", {}, "from RMSProp")),
      element("span", { class: "band new" }, "bias correction: Adam’s own"),
    ),
  );
  const seen = () => explorer.state.panel === "sum";
  let stale = true;
  explorer.on(["surface", "theme", "ground", "racers"], () => {
    stale = true;
  });
  explorer.on(
    ["surface", "theme", "ground", "racers", "panel"],
    () => {
      if (!seen() || !stale) return;
      stale = false;
      for (const map of maps) map.drawSurface();
    },
    60,
  );
  explorer.on(
    ["surface", "theme", "ground", "racers", "panel", "time"],
    () => {
      if (seen()) for (const map of maps) map.drawPath();
    },
    60,
  );
}

/** A map with one path: that of the racer of this rule, or of one that would race as well as it can. */
class SmallMap {
  readonly canvas: HTMLCanvasElement;
  private ground = document.createElement("canvas");
  private view: View;
  private own: Walker | null = null;

  constructor(
    private explorer: Explorer,
    private card: SumCard,
  ) {
    this.canvas = element("canvas", {
      class: "small-map",
      role: "img",
      "aria-label": `The path of ${card.name}`,
    });
    this.view = new View(explorer.surface.data.window, 1, 1);
  }

  drawSurface(): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const density = Math.min(devicePixelRatio || 1, 2);
    for (const canvas of [this.canvas, this.ground]) {
      canvas.width = width * density;
      canvas.height = height * density;
      canvas.getContext("2d")?.setTransform(density, 0, 0, density, 0, 0);
    }
    this.view = new View(this.explorer.surface.data.window, width, height);
    const context = this.ground.getContext("2d") as CanvasRenderingContext2D;
    drawContours(context, this.explorer.surface, this.view, inks(), 4);
    drawLowest(context, this.explorer.surface, this.view, inks());
    this.own = null;
  }

  drawPath(): void {
    const context = this.canvas.getContext("2d") as CanvasRenderingContext2D;
    context.drawImage(this.ground, 0, 0, this.view.width, this.view.height);
    drawTrail(context, this.walker(), 0, this.view, inks().rules[this.card.slot] ?? "", false);
  }

  private walker(): Walker {
    const { race, state } = this.explorer;
    const place = state.racers.findIndex(
      ({ rule, card, uncorrected }) => rule === this.card.name && card === null && !uncorrected,
    );
    const racing = race.walkers[place];
    if (racing !== undefined) return racing;
    if (this.own === null || this.own.t > race.t) {
      const racer = tuned(this.explorer, {
        rule: this.card.name,
        hyperparameters: {},
        uncorrected: false,
        card: null,
      });
      const rule = this.explorer.ruleFor(racer);
      const { start, noise, seed } = state;
      this.own = new Walker(
        { rule, hyperparameters: racer.hyperparameters, uncorrected: false },
        { surface: this.explorer.surface, start, noise, seed },
      );
    }
    while (this.own.t < race.t && this.own.step());
    return this.own;
  }
}
