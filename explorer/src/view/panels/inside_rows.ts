/** The rows of *Inside the step*: a number and a bar for each coordinate. */

import { symbolML } from "../../language/mathml";
import type { Inside } from "../../walker";
import { element, parsed, write } from "../dom";
import { shown } from "../numbers";
import { KIND_TITLES, type Kind } from "./kinds";

/** A row: what it is called, which scale its bars have, and where its numbers come from. */
export interface RowPlan {
  name: string;
  symbol: string;
  title: string; // words beside the symbol; "" for none
  kind: Kind | "step" | "weight";
  value(inside: Inside, coordinate: 0 | 1): number;
}

const TITLES: Record<RowPlan["kind"], string> = {
  ...KIND_TITLES,
  step: "The step",
  weight: "The weight",
};

interface Cell {
  number: HTMLElement;
  bar: HTMLElement | null;
}

/** A table that is built once for a rule, and then only told numbers. */
export class InsideRows {
  readonly node: HTMLTableElement;
  private cells = new Map<RowPlan, [Cell, Cell]>();
  private limits = new Map<RowPlan["kind"], HTMLElement>();

  constructor(private plans: RowPlan[]) {
    const head = element(
      "thead",
      {},
      element(
        "tr",
        {},
        element("th", { scope: "col" }, element("span", { class: "unseen" }, "Value")),
        ...["x", "y"].map(columnHead),
      ),
    );
    this.node = element("table", { class: "inside-table", id: "inside-table" }, head);
    const kinds = [...new Set(plans.map((plan) => plan.kind))];
    for (const kind of kinds) this.node.append(this.group(kind));
  }

  /** Shows the numbers of a step. */
  show(inside: Inside): void {
    const most = new Map<RowPlan["kind"], number>();
    for (const plan of this.plans) {
      for (const k of [0, 1] as const) {
        const size = Math.abs(plan.value(inside, k));
        if (Number.isFinite(size)) most.set(plan.kind, Math.max(most.get(plan.kind) ?? 0, size));
      }
    }
    for (const [kind, node] of this.limits)
      write(node, `bars: ± ${shown(ladder(most.get(kind) ?? 0), 1)}`);
    for (const [plan, cells] of this.cells) {
      cells.forEach(({ number, bar }, k) => {
        const value = plan.value(inside, k as 0 | 1);
        write(number, shown(value));
        number.setAttribute("data-value", String(value));
        const share = value / ladder(most.get(plan.kind) ?? 0);
        if (bar) bar.style.transform = `scaleX(${Number.isFinite(share) ? share.toFixed(4) : 0})`;
      });
    }
  }

  private group(kind: RowPlan["kind"]): HTMLElement {
    const limit = element("span", { class: "limit" });
    if (kind !== "weight") this.limits.set(kind, limit);
    const title = element(
      "th",
      { colspan: 3, scope: "rowgroup" },
      element("span", {}, TITLES[kind]),
      " ",
      limit,
    );
    const rows = this.plans.filter((plan) => plan.kind === kind).map((plan) => this.row(plan));
    return element("tbody", { "data-kind": kind }, element("tr", { class: "kind" }, title), ...rows);
  }

  private row(plan: RowPlan): HTMLElement {
    // Not every reader's software speaks MathML.
    const symbol = element("span", { "aria-hidden": "true" }, parsed(symbolML(plan.symbol)));
    const label = element(
      "th",
      { scope: "row" },
      symbol,
      element("span", { class: "unseen" }, plan.symbol),
    );
    if (plan.title) label.append(element("small", {}, plan.title));
    const cell = (coordinate: string): [Cell, HTMLElement] => {
      const number = element("span", {
        class: "inside-number",
        "data-name": plan.name,
        "data-coordinate": coordinate,
      });
      const bar = plan.kind === "weight" ? null : element("i");
      const track = bar === null ? [] : [element("span", { class: "bar", "aria-hidden": "true" }, bar)];
      return [{ number, bar }, element("td", {}, number, ...track)];
    };
    const [[first, left], [second, right]] = [cell("x"), cell("y")];
    this.cells.set(plan, [first, second]);
    return element("tr", { "data-row": plan.name }, label, left, right);
  }
}

function columnHead(coordinate: string): HTMLElement {
  return element("th", { scope: "col" }, element("span", {}, "along ", element("i", {}, coordinate)));
}

/** The next number of 1, 2, 5, 10, … that is not smaller: bars keep their scale for some steps. */
function ladder(size: number): number {
  if (!(size > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(size));
  return power * ([1, 2, 5].find((factor) => factor * power >= size * (1 - 1e-9)) ?? 10);
}
