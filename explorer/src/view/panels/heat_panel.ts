/** The heat map: the loss at the end of many short walks, over the learning rate and one more. */

import { type Axis, axisOf, downChoices } from "../../heat";
import type { HeatOrder, HeatReport } from "../../heat_worker";
import { setHyperparameters } from "../controls/rule_settings";
import { element, find, write } from "../dom";
import type { Explorer } from "../explorer";
import { plain, shown } from "../numbers";
import { inks } from "../palette";
import { drawHeat, extent, MARGIN, type Picture, place } from "./heat_picture";
import { HeatWork } from "./heat_work";

const [COLUMNS, ROWS, STEPS] = [32, 20, 200];
const RATE = "learning_rate";

export function heatPanel(explorer: Explorer): void {
  const choice = element("select", { id: "heat-down" });
  const canvas = element("canvas", {
    id: "heat-map",
    tabindex: 0,
    role: "application",
    "aria-roledescription": "heat map",
    "aria-label":
      "Final loss over learning rate and another hyperparameter. Arrow keys choose a cell, Enter takes its values.",
    "aria-describedby": "heat-cell",
  });
  const cellText = element("output", { id: "heat-cell", class: "heat-cell" });
  const time = element("span", { id: "heat-time", class: "muted" });
  const head = element(
    "div",
    { class: "heat-head" },
    element("h3", {}, `Loss after ${STEPS} steps`),
    element("label", {}, "over learning_rate and ", choice),
  );
  const empty = element(
    "p",
    { class: "lesson", hidden: true },
    "This rule has no learning rate, or nothing beside it: there is no map to draw.",
  );
  const scale = element("p", { class: "heat-scale" });
  const foot = element("div", { class: "heat-foot" }, cellText, scale, time);
  find("panel-heat").append(head, canvas, foot, empty);

  const seen = () => explorer.state.panel === "heat";
  let picture: Picture | null = null;
  let axesKey = "";
  const work = new HeatWork((report) => told(report));

  function order(): void {
    const { shown: racer, shownWalker: walker, state } = explorer;
    const { rule } = walker.racer;
    const values = walker.hyperparameters;
    const choices = downChoices(rule.hyperparameters, explorer.ruleData(racer.rule).ranges);
    const possible = RATE in values && choices.length > 0;
    canvas.hidden = foot.hidden = head.hidden = !possible;
    empty.hidden = possible;
    if (!possible) return work.cancel();
    const down = choices.includes(state.heat) ? state.heat : (choices[0] as string);
    choice.replaceChildren(
      ...choices.map((name) => element("option", { value: name, selected: name === down }, name)),
    );
    const own: [number, number] = [values[RATE] ?? 0, values[down] ?? 0];
    const key = [racer.rule, racer.card, down].join("\n");
    // The axes stay where they are as long as the rule's own values lie on them.
    const fits =
      picture !== null &&
      key === axesKey &&
      place(picture.across, own[0]) >= 0 &&
      place(picture.down, own[1]) >= 0;
    const axes: [Axis, Axis] =
      fits && picture
        ? [picture.across, picture.down]
        : [legible(axisOf(RATE, own[0], COLUMNS)), upwards(legible(axisOf(down, own[1], ROWS)))];
    axesKey = key;
    const data = explorer.ruleData(racer.rule);
    const floors = explorer.surface.data.lowest.map(([x, y]) => explorer.surface.height(x, y));
    const fresh: Omit<HeatOrder & { kind: "draw" }, "id" | "kind"> = {
      rule: racer.card === null ? { data } : { card: racer.card, initial: data.initial },
      hyperparameters: { ...values, [RATE]: 0, [down]: 0 },
      uncorrected: racer.uncorrected,
      surface: explorer.surface.data,
      parameters: { ...state.parameters },
      start: [...state.start],
      noise: state.noise,
      seed: state.seed,
      steps: STEPS,
      across: axes[0],
      down: axes[1],
    };
    const begun = work.draw(fresh);
    const rows =
      begun || picture === null ? new Array<Float64Array | null>(ROWS).fill(null) : picture.rows;
    picture = {
      across: axes[0],
      down: axes[1],
      rows,
      floor: Math.min(0, ...floors),
      now: own,
      cell: picture?.cell ?? null,
    };
    if (begun) write(time, "computing …");
    paint();
  }

  function told(report: HeatReport): void {
    if (report.kind === "row" && picture !== null) picture.rows[report.row] = report.losses;
    if (report.kind === "done") {
      write(time, `${COLUMNS * ROWS} walks in ${(report.milliseconds / 1000).toFixed(2)} s`);
      time.dataset.milliseconds = String(report.milliseconds);
    }
    if (report.kind === "failed") write(time, report.message);
    asked ||= requestAnimationFrame(paint);
  }

  let asked = 0;
  function paint(): void {
    asked = 0;
    if (picture === null || !seen()) return;
    const { clientWidth: width, clientHeight: height } = canvas;
    const density = Math.min(devicePixelRatio || 1, 2);
    canvas.width = width * density;
    canvas.height = height * density;
    const context = canvas.getContext("2d") as CanvasRenderingContext2D;
    context.setTransform(density, 0, 0, density, 0, 0);
    const colours = inks();
    drawHeat(context, width, height, picture, colours, colours.rules[explorer.shownSlot] ?? "");
    const [low, high] = extent(picture);
    const floor = picture.floor;
    const said = (level: number) => (level <= -12 ? "below 1e−12" : shown(10 ** level + floor, 2));
    scale.replaceChildren(said(low), element("i"), said(high));
    tellCell();
  }

  function tellCell(): void {
    if (picture === null) return;
    const { across, down, rows, cell } = picture;
    if (cell === null)
      return write(cellText, "The ring is where the rule stands. Choose a cell to take its values.");
    const loss = rows[cell[1]]?.[cell[0]];
    const text =
      loss === undefined ? "…" : Number.isFinite(loss) ? `loss ${shown(loss, 3)}` : "diverged";
    write(
      cellText,
      `${across.name} ${plain(across.values[cell[0]] ?? 0)}, ${down.name} ${plain(down.values[cell[1]] ?? 0)}: ${text}`,
    );
  }

  function at(event: MouseEvent): [number, number] | null {
    const box = canvas.getBoundingClientRect();
    const column = Math.floor(
      ((event.clientX - box.left - MARGIN.left) / (box.width - MARGIN.left - MARGIN.right)) * COLUMNS,
    );
    const row = Math.floor(
      ((event.clientY - box.top - MARGIN.top) / (box.height - MARGIN.top - MARGIN.bottom)) * ROWS,
    );
    return column >= 0 && column < COLUMNS && row >= 0 && row < ROWS ? [column, row] : null;
  }

  function look(cell: [number, number] | null): void {
    if (picture === null || picture.cell?.join() === cell?.join()) return;
    picture.cell = cell;
    asked ||= requestAnimationFrame(paint);
  }

  function take(cell: [number, number] | null): void {
    if (picture === null || cell === null) return;
    const { across, down } = picture;
    setHyperparameters(explorer, {
      [RATE]: across.values[cell[0]] ?? 0,
      [down.name]: down.values[cell[1]] ?? 0,
    });
  }

  canvas.addEventListener("pointermove", (event) => look(at(event)));
  canvas.addEventListener("pointerleave", () => look(null));
  canvas.addEventListener("click", (event) => take(at(event)));
  canvas.addEventListener("keydown", (event) => {
    if (picture === null) return;
    const [column, row] = picture.cell ?? [
      Math.round(place(picture.across, picture.now[0])),
      Math.round(place(picture.down, picture.now[1])),
    ];
    const to = {
      ArrowLeft: [column - 1, row],
      ArrowRight: [column + 1, row],
      ArrowUp: [column, row - 1],
      ArrowDown: [column, row + 1],
    }[event.key];
    if (to !== undefined)
      look([
        Math.min(Math.max(to[0] ?? 0, 0), COLUMNS - 1),
        Math.min(Math.max(to[1] ?? 0, 0), ROWS - 1),
      ]);
    else if (event.key === "Enter" || event.key === " ") take(picture.cell);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  choice.addEventListener("change", () => explorer.set("heat", choice.value));
  explorer.on(
    ["racers", "shown", "ground", "surface", "heat", "panel"],
    () => {
      if (seen()) order();
      else work.cancel();
    },
    100,
  );
  explorer.on(["theme", "surface"], paint);
  new ResizeObserver(paint).observe(canvas);
}

/** The same axis from its highest value to its lowest, so that it rises from the foot of the map. */
function upwards({ name, values }: Axis): Axis {
  return { name, values: values.toReversed() };
}

/** The same axis with values of three digits, as a reader would choose them. */
function legible({ name, values }: Axis): Axis {
  const rounded = (value: number) => Number(value.toPrecision(3));
  return {
    name,
    values: values.map((value) =>
      value > 0.9 && value < 1 ? Number((1 - rounded(1 - value)).toPrecision(12)) : rounded(value),
    ),
  };
}
