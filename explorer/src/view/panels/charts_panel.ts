/** The small charts: loss, length of the step, effective learning rate, update over weight. */

import uPlot from "uplot";
import type { Column } from "../../history";
import type { Walker } from "../../walker";
import { element, find } from "../dom";
import type { Explorer } from "../explorer";
import { type Inks, inks } from "../palette";

interface Plan {
  id: string;
  title: string;
  about: string;
  columns: Column[];
  onlyShown: boolean; // two lines of the shown rule, or one of each rule
}

const PLANS: readonly Plan[] = [
  {
    id: "loss",
    title: "Loss",
    about: "above the lowest point, on a log scale",
    columns: ["loss"],
    onlyShown: false,
  },
  {
    id: "step-size",
    title: "Step size",
    about: "how far each step went",
    columns: ["step"],
    onlyShown: false,
  },
  {
    id: "rates",
    title: "Effective learning rate",
    about: "step ÷ gradient; solid x, dashed y",
    columns: ["rateX", "rateY"],
    onlyShown: true,
  },
  {
    id: "ratio",
    title: "Update ÷ weight",
    about: "the step’s length over that of the weights",
    columns: ["ratio"],
    onlyShown: false,
  },
];
const HEIGHT = 190;
const MOST_DECADES = 6; // that are all marked
/** So many points are enough for a line of some hundred pixels. */
const POINTS = 500;
/** Between two marks below: whole steps. */
const STRIDES = [1, 10, 100, 1000, 1e4].flatMap((ten) => [ten, 2 * ten, 5 * ten]);
const FONT = "11px system-ui, sans-serif";

export function chartsPanel(explorer: Explorer): void {
  const holders = PLANS.map(({ id, title, about }) => {
    const box = element("div", {
      class: "chart-box",
      id: `chart-${id}`,
      role: "img",
      "aria-label": `${title}: ${about}`,
    });
    return {
      box,
      node: element(
        "figure",
        { class: "chart" },
        element("figcaption", {}, element("b", {}, title), " ", about),
        box,
      ),
    };
  });
  const hint = element("p", { class: "lesson" }, "The charts fill as the race runs.");
  find("panel-charts").append(
    element("h3", { class: "unseen" }, "Charts"),
    hint,
    element("div", { class: "charts" }, ...holders.map(({ node }) => node)),
  );
  const seen = () => explorer.state.panel === "charts";
  let charts: uPlot[] = [];
  let stale = true;

  explorer.on(["racers", "shown", "theme", "surface", "ground"], () => {
    stale = true;
  });
  explorer.on(
    ["racers", "shown", "theme", "surface", "ground", "panel", "time"],
    () => {
      if (!seen()) return;
      hint.hidden = explorer.race.t > 0;
      if (stale) {
        for (const chart of charts) chart.destroy();
        const colours = inks();
        charts = PLANS.map((plan, k) =>
          chartOf(explorer, plan, holders[k]?.box as HTMLElement, colours),
        );
        stale = false;
      }
      charts.forEach((chart, k) => chart.setData(dataOf(explorer, PLANS[k] as Plan)));
    },
    200,
  );
  new ResizeObserver(() => {
    charts.forEach((chart, k) => {
      const width = holders[k]?.box.clientWidth ?? 0;
      if (width > 0 && width !== chart.width) chart.setSize({ width, height: HEIGHT });
    });
  }).observe(find("panel-charts"));
}

function chartOf(explorer: Explorer, plan: Plan, box: HTMLElement, colours: Inks): uPlot {
  const { slots, shownSlot, state } = explorer;
  const line = (slot: number, dash: number[], strong: boolean): uPlot.Series => ({
    stroke: colours.rules[slot] ?? "",
    width: strong ? 2 : 1.25,
    dash,
    points: { show: false },
  });
  const series = plan.onlyShown
    ? [line(shownSlot, [], true), line(shownSlot, [5, 4], true)]
    : slots.map((slot, k) => line(slot, [], k === state.shown));
  const axis = { stroke: colours.muted, font: FONT, ticks: { show: false } };
  const grid = { stroke: colours.line, width: 1 };
  return new uPlot(
    {
      width: Math.max(box.clientWidth, 120),
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      padding: [6, 14, 0, 0],
      scales: { x: { time: false }, y: { distr: 3, log: 10 } },
      series: [{}, ...series],
      axes: [
        { ...axis, grid, size: 24, gap: 2, space: 60, incrs: STRIDES },
        {
          ...axis,
          grid: { ...grid, filter: round },
          filter: round,
          size: 44,
          gap: 4,
          space: 20,
          values: (_, values) => values.map(tick),
        },
      ],
    },
    dataOf(explorer, plan),
    box,
  );
}

function dataOf({ race, surface, shownWalker }: Explorer, plan: Plan): uPlot.AlignedData {
  const stride = Math.max(1, Math.ceil(race.t / POINTS));
  const count = Math.floor(race.t / stride) + 1;
  const steps = Array.from({ length: count }, (_, k) => k * stride);
  const floor =
    plan.id === "loss" ? Math.min(0, ...surface.data.lowest.map(([x, y]) => surface.height(x, y))) : 0;
  const lines: [Walker, Column][] = plan.onlyShown
    ? plan.columns.map((column) => [shownWalker, column])
    : race.walkers.map((walker) => [walker, plan.columns[0] as Column]);
  return [
    steps,
    ...lines.map(([walker, column]) => thinned(walker.history.column(column), steps, floor)),
  ];
}

/** What a log scale cannot show is left out. */
function thinned(values: Float64Array, steps: number[], floor: number): (number | null)[] {
  return steps.map((step) => {
    const value = (values[step] ?? NaN) - floor;
    return value > 1e-14 && Number.isFinite(value) ? value : null;
  });
}

/** Of a log scale's lines those at powers of ten, at every second or third if there are many; over few of
 *  them also those at 2 and 5.
 */
function round(chart: uPlot, splits: number[]): (number | null)[] {
  const { min, max } = chart.scales.y ?? {};
  const factors = (max ?? 1) / (min ?? 1) > 50 ? [1] : [1, 2, 5];
  const decades = Math.ceil(Math.log10((max ?? 1) / (min ?? 1)) / MOST_DECADES);
  return splits.map((split) => {
    const [factor, exponent] = split.toExponential(6).split("e").map(Number) as [number, number];
    return factors.includes(factor) && (decades <= 1 || exponent % decades === 0) ? split : null;
  });
}

function tick(value: number | null): string {
  if (value === null || value === undefined) return "";
  if (value >= 0.01 && value <= 1000) return String(Number(value.toPrecision(1)));
  return value.toExponential(0).replace("e+", "e").replace("-", "−");
}
