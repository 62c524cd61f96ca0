/** The rule that is shown: which it is, its hyperparameters, its bias correction. */

import type { RuleData } from "../../types";
import { element, find, write } from "../dom";
import type { Explorer } from "../explorer";
import { markShape } from "../palette";
import { scaleOf } from "../scales";
import { say } from "../status";
import { tuned } from "../tuning";
import { Field } from "./field";
import { labels, ruleOptions } from "./rule_choice";

export function ruleSettings(explorer: Explorer): void {
  const choice = find<HTMLSelectElement>("shown-rule");
  choice.append(...ruleOptions(explorer.data));
  choice.addEventListener("change", () => {
    const racer = { rule: choice.value, hyperparameters: {}, uncorrected: false, card: null };
    explorer.setRacer(explorer.state.shown, tuned(explorer, racer));
    explorer.tell("shown");
  });
  correction(explorer);

  let fields = new Map<string, Field>();
  let built = "";
  explorer.on(["racers", "shown"], () => {
    const { shown, shownSlot } = explorer;
    const data = explorer.ruleData(shown.rule);
    const [name, note] = labels(explorer.state.racers)[explorer.state.shown] ?? ["", ""];
    document.documentElement.dataset.shown = String(shownSlot);
    find("shown-mark").replaceChildren(markShape(shownSlot));
    find("shown-name").replaceChildren(name, ...(note ? [" ", element("small", {}, note)] : []));
    write(find("shown-summary"), data.summary);
    choice.value = shown.rule;
    const values = explorer.shownWalker.hyperparameters;
    const key = [explorer.state.shown, shown.rule, ...Object.keys(values)].join();
    if (key !== built) {
      built = key;
      fields = newFields(explorer, data);
      find("hyperparameters").replaceChildren(...[...fields.values()].map((field) => field.node));
    }
    for (const [key, value] of Object.entries(values)) fields.get(key)?.show(value);
  });
}

/** Sets a hyperparameter of the rule that is shown. */
export function setHyperparameters(explorer: Explorer, given: Record<string, number>): void {
  const { shown } = explorer;
  const hyperparameters = { ...shown.hyperparameters, ...given };
  const own = explorer.shownWalker.racer.rule.hyperparameters;
  for (const [name, value] of Object.entries(hyperparameters)) {
    if (value === own[name] || !(name in own)) delete hyperparameters[name];
  }
  explorer.setRacer(explorer.state.shown, { ...shown, hyperparameters });
}

export function setCorrection(explorer: Explorer, corrected: boolean): void {
  if (!explorer.shownWalker.racer.rule.correctsBias) return;
  explorer.setRacer(explorer.state.shown, { ...explorer.shown, uncorrected: !corrected });
  say(`Bias correction is ${corrected ? "on" : "off"}.`);
}

function correction(explorer: Explorer): void {
  const toggle = find<HTMLInputElement>("correction");
  toggle.addEventListener("change", () => setCorrection(explorer, toggle.checked));
  explorer.on(["racers", "shown"], () => {
    const { correctsBias } = explorer.shownWalker.racer.rule;
    toggle.disabled = !correctsBias;
    toggle.checked = correctsBias && !explorer.shown.uncorrected;
    find("correction-label").hidden = !correctsBias;
  });
}

function newFields(explorer: Explorer, data: RuleData): Map<string, Field> {
  const fields = new Map<string, Field>();
  for (const [name, value] of Object.entries(explorer.shownWalker.hyperparameters)) {
    const range = data.ranges[name] ?? [null, null];
    const own = explorer.shownWalker.racer.rule.hyperparameters[name] ?? value;
    const change = (given: number) => setHyperparameters(explorer, { [name]: given });
    const [least, below] = range;
    const scale = scaleOf(name, own, range);
    fields.set(
      name,
      new Field({
        id: `hyper-${name}`,
        title: element("code", {}, name),
        spoken: name,
        value,
        scale,
        least,
        below,
        change,
      }),
    );
  }
  return fields;
}
