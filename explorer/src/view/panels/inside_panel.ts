/** *Inside the step*: all that a step of the shown rule was made of. */

import type { Inside, Walker } from "../../walker";
import { element, find, write } from "../dom";
import type { Explorer } from "../explorer";
import { shown } from "../numbers";
import { FirstSteps } from "./first_steps";
import { InsideRows, type RowPlan } from "./inside_rows";
import { kindsOf } from "./kinds";

export function insidePanel(explorer: Explorer): void {
  const title = element("h3", { id: "inside-title" });
  const ratios = ["x", "y"].map((k) =>
    element("span", { class: "ratio", id: `ratio-${k}`, "data-coordinate": k }),
  );
  const lesson = element("p", { class: "lesson", id: "inside-lesson" });
  const first = new FirstSteps(explorer);
  const rows = element("div");
  const bigs = ratios.map((ratio, k) =>
    element("div", {}, ratio, element("span", { class: "ratio-of" }, `along ${"xy"[k]}`)),
  );
  const head = element(
    "div",
    { class: "ratios" },
    title,
    element("p", { class: "ratios-title" }, "Step ÷ learning rate"),
    ...bigs,
  );
  find("panel-inside").append(element("div", { class: "inside-head" }, head, first.node), lesson, rows);

  let table: InsideRows | null = null;
  let built = "";
  const seen = () => explorer.state.panel === "inside";

  explorer.on(["racers", "shown", "panel"], () => {
    if (!seen()) return;
    const { rule } = explorer.shownWalker.racer;
    const key = [explorer.state.shown, explorer.shown.rule, explorer.shown.card].join("\n");
    if (key === built && table !== null) return;
    built = key;
    table = new InsideRows(plansOf(explorer.shownWalker));
    rows.replaceChildren(table.node);
    first.node.dataset.rule = rule.name;
  });
  explorer.on(["racers", "shown", "ground", "surface", "panel", "theme"], () => {
    if (seen()) first.measure();
  });
  explorer.on(
    ["racers", "shown", "ground", "surface", "panel", "theme", "time"],
    () => {
      if (!seen() || table === null) return;
      const walker = explorer.shownWalker;
      const inside = walker.inside("last") ?? walker.inside("next");
      if (inside === null) return;
      const before = walker.t === 0;
      write(title, before ? "Inside the first step, before it is taken" : `Inside step ${inside.t}`);
      table.show(inside);
      const rate = walker.hyperparameters.learning_rate ?? NaN;
      ratios.forEach((node, k) => {
        const ratio = Math.abs(inside.coordinates[k as 0 | 1].step) / rate;
        write(node, Number.isFinite(ratio) ? `${shown(ratio, 3)}×` : "–");
        node.setAttribute("data-value", String(ratio));
      });
      write(lesson, lessonOf(walker, inside));
      first.draw(inside.t);
    },
    100,
  );
}

function plansOf({ racer: { rule }, hyperparameters }: Walker): RowPlan[] {
  const kinds = kindsOf(rule, hyperparameters);
  const [weight, gradient] = [rule.tensors[0] ?? "w", rule.tensors[1] ?? "dw"];
  const order = ["gradient", "square", "free", "other"];
  const named = rule.names
    .filter((name) => name !== weight && name !== gradient)
    .map((name): RowPlan => ({
      name,
      symbol: name,
      title: "",
      kind: kinds[name] ?? "other",
      value: (inside, k) => inside.coordinates[k].named[name] ?? NaN,
    }));
  const state = rule.state
    .filter((name) => !rule.names.includes(name))
    .map((name): RowPlan => ({
      name,
      symbol: name,
      title: "kept",
      kind: "other",
      value: (inside, k) => inside.coordinates[k].outputs[name] ?? NaN,
    }));
  const values = [...named, ...state].sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
  return [
    {
      name: gradient,
      symbol: gradient,
      title: "gradient",
      kind: "gradient",
      value: (inside, k) => inside.coordinates[k].gradient,
    },
    ...values,
    {
      name: "step",
      symbol: "step",
      title: "",
      kind: "step",
      value: (inside, k) => inside.coordinates[k].step,
    },
    {
      name: weight,
      symbol: weight,
      title: "before",
      kind: "weight",
      value: (inside, k) => inside.coordinates[k].weight,
    },
    {
      name: `${weight}_new`,
      symbol: weight,
      title: "after",
      kind: "weight",
      value: (inside, k) => inside.coordinates[k].outputs[weight] ?? NaN,
    },
  ];
}

/** What the number means, where there is something to be said. */
function lessonOf({ racer, hyperparameters }: Walker, { t }: Inside): string {
  const { rule, uncorrected } = racer;
  if (!rule.correctsBias || t > 10) return "";
  const { beta1, beta2 } = hyperparameters;
  if (beta1 === undefined || beta2 === undefined) return "";
  const excess = shown((1 - beta1) / Math.sqrt(1 - beta2), 3);
  if (!uncorrected) {
    return t === 1
      ? `So far m and v hold a share of the gradient and of its square: 1 − beta1 and 1 − beta2. Divided by that they are whole, and the step is one learning rate. Without correction it is ${excess}: flip the switch.`
      : "m and v began at 0. The correction makes them what they would be had the gradient always been there, and fades away by itself.";
  }
  return t === 1
    ? `Without correction m is ${shown(1 - beta1, 2)} of the gradient but the root of v is ${shown(Math.sqrt(1 - beta2), 3)} of its size: the first step is ${excess} times the learning rate.`
    : "v began at 0 and fills more slowly than m, so the steps stay too long until it has caught up.";
}
