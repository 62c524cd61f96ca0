/** The legend: who races, each with its mark and its loss; whom to show, to remove, to add. */

import { MOST_RACERS } from "../../race";
import { element, find, write } from "../dom";
import type { Explorer } from "../explorer";
import { shown } from "../numbers";
import { mark } from "../palette";
import { say } from "../status";
import { tuned } from "../tuning";
import { labels, ruleOptions } from "./rule_choice";

export function racers(explorer: Explorer): void {
  const list = find("racers");
  const add = find<HTMLSelectElement>("add-racer");
  add.append(element("option", { value: "" }, "+ Add a rule"), ...ruleOptions(explorer.data));
  add.addEventListener("change", () => {
    const rule = add.value;
    add.value = "";
    if (rule) addRacer(explorer, rule);
  });

  let losses: Element[] = [];
  explorer.on(["racers"], () => {
    const held = document.activeElement?.closest("[data-racer]")?.getAttribute("data-racer");
    const items = legendItems(explorer);
    losses = items.map((item) => item.querySelector(".racer-loss") as Element);
    list.replaceChildren(...items);
    if (held) list.querySelector<HTMLElement>(`[data-racer="${held}"] .racer-show`)?.focus();
    add.hidden = items.length >= MOST_RACERS;
    for (const remove of list.querySelectorAll<HTMLElement>(".racer-remove"))
      remove.hidden = items.length === 1;
  });
  explorer.on(["racers", "shown"], () => {
    list.querySelectorAll(".racer-show").forEach((button, k) => {
      button.setAttribute("aria-pressed", String(k === explorer.state.shown));
    });
  });
  explorer.on(
    ["racers", "time"],
    () => {
      explorer.race.walkers.forEach((walker, k) => {
        const node = losses[k];
        if (node === undefined) return;
        write(node, walker.stopped ? "diverged" : shown(walker.loss, 3));
        node.setAttribute("data-value", String(walker.loss));
        node.setAttribute("title", walker.stopped || `Loss ${walker.loss}`);
      });
    },
    120,
  );
}

/** Adds a rule with a learning rate that suits the surface, and shows it. */
export function addRacer(explorer: Explorer, rule: string): void {
  const { state } = explorer;
  if (state.racers.length >= MOST_RACERS) return;
  const racer = { rule, hyperparameters: {}, uncorrected: false, card: null };
  explorer.setRacer(state.racers.length, tuned(explorer, racer));
  explorer.show(state.racers.length - 1);
  say(`${rule} races.`);
}

function legendItems(explorer: Explorer): HTMLElement[] {
  const names = labels(explorer.state.racers);
  return explorer.state.racers.map(({ rule }, k) => {
    const slot = explorer.slots[k] ?? 0;
    const [name, note] = names[k] ?? [rule, ""];
    const words = element("span", { class: "racer-name" }, name);
    if (note) words.append(" ", element("small", {}, note));
    const show = element(
      "button",
      { type: "button", class: "racer-show", "aria-pressed": "false" },
      mark(slot),
      words,
      element("span", { class: "racer-loss" }),
    );
    show.addEventListener("click", () => explorer.show(k));
    const remove = element(
      "button",
      { type: "button", class: "racer-remove", "aria-label": `Remove ${name}` },
      "×",
    );
    remove.addEventListener("click", () => {
      explorer.removeRacer(k);
      say(`${name} left the race.`);
      find("racers").querySelector<HTMLElement>(".racer-show")?.focus();
    });
    return element("li", { "data-racer": k, "data-rule": rule, "data-slot": slot }, show, remove);
  });
}
