import assert from "node:assert/strict";
import test from "node:test";
import { surfaceOf } from "../src/emitted";
import { axisOf, downChoices, heatRow, type HeatRequest } from "../src/heat";
import { type DrawOrder, type HeatReport, type HeatScope, serveHeat } from "../src/heat_worker";
import { Walker } from "../src/walker";
import { ADAM, BOWL, bowl, MOMENTUM, ruleFrom } from "./cards";

const RACER = { rule: ruleFrom(MOMENTUM), hyperparameters: {}, uncorrected: false };
const REQUEST: HeatRequest = {
  racer: RACER,
  ground: { surface: bowl(), start: [-2, 3], noise: 0.5, seed: 1 },
  steps: 50,
  across: { name: "learning_rate", values: [1e-3, 1e-2, 5] },
  down: { name: "beta1", values: [0, 0.9] },
};

const ORDER: DrawOrder = {
  kind: "draw",
  id: 1,
  rule: { card: ADAM, initial: {} },
  hyperparameters: {},
  uncorrected: false,
  surface: BOWL,
  parameters: { condition: 10 },
  start: [-2, 3],
  noise: 0.5,
  seed: 1,
  steps: 200,
  across: axisOf("learning_rate", 0.01, 48),
  down: axisOf("beta1", 0.9, 32),
};

test("a cell is the loss at the end of a walk with its numbers", () => {
  const row = heatRow(REQUEST, 1);
  for (const [k, learning_rate] of [1e-3, 1e-2].entries()) {
    const walker = new Walker({ ...RACER, hyperparameters: { learning_rate, beta1: 0.9 } }, REQUEST.ground);
    for (let t = 0; t < 50; t += 1) walker.step();
    assert.equal(row[k], walker.loss);
  }
  assert.notEqual(heatRow(REQUEST, 0)[0], row[0]);
});

test("a cell that diverges is infinite", () => {
  assert.equal(heatRow(REQUEST, 1)[2], Infinity);
});

test("the side of a learning rate goes two decades to either side, evenly by its logarithm", () => {
  const { values } = axisOf("learning_rate", 0.01, 5);
  [1e-4, 1e-3, 1e-2, 1e-1, 1].forEach((wanted, k) => {
    assert.ok(Math.abs((values[k] ?? NaN) / wanted - 1) < 1e-12);
  });
});

test("the side of a beta goes from 0 to 0.9999, evenly by the logarithm of 1 - beta", () => {
  const { values } = axisOf("beta2", 0.999, 5);
  [0, 0.9, 0.99, 0.999, 0.9999].forEach((wanted, k) => {
    assert.ok(Math.abs((values[k] ?? NaN) - wanted) < 1e-12);
  });
});

test("what lies from 0 up to 1 may stand at the side of the map", () => {
  const hyperparameters = { learning_rate: 1e-3, beta1: 0.9, rho: 0.9, share: 0.5, eps: 1e-8 };
  assert.deepEqual(downChoices(hyperparameters, { share: [0, 1], eps: [0, null] }), ["beta1", "rho", "share"]);
});

/** A worker's scope, and what it said until it was done. */
function worker(): { scope: HeatScope; reports: HeatReport[]; until: (kind: string) => Promise<void> } {
  const reports: HeatReport[] = [];
  let heard = (): void => undefined;
  const scope: HeatScope = {
    onmessage: null,
    postMessage(report) {
      reports.push(report);
      heard();
    },
  };
  serveHeat(scope);
  const until = (kind: string): Promise<void> =>
    new Promise((resolve) => {
      heard = () => {
        if (reports.some((report) => report.kind === kind)) resolve();
      };
      heard();
    });
  return { scope, reports, until };
}

test("the worker gives every row once, then the time that it took: under two seconds", async () => {
  const { scope, reports, until } = worker();
  scope.onmessage?.({ data: ORDER });
  await until("done");
  const rows = reports.flatMap((report) => (report.kind === "row" ? [report.row] : []));
  assert.deepEqual(rows.sort((a, b) => a - b), Array.from({ length: 32 }, (_, k) => k));
  const last = reports.at(-1);
  assert.ok(last?.kind === "done" && last.milliseconds < 2000, JSON.stringify(last));
  console.log(`heat map of 48 x 32 cells, 200 steps: ${last.milliseconds.toFixed(0)} ms`);
});

test("its rows are those that the page would compute", async () => {
  const { scope, reports, until } = worker();
  const order: DrawOrder = { ...ORDER, down: { name: "beta1", values: [0.5] } };
  scope.onmessage?.({ data: order });
  await until("done");
  const [row] = reports;
  assert.ok(row?.kind === "row");
  const surface = surfaceOf(BOWL, { condition: 10 });
  const racer = { rule: ruleFrom(ADAM), hyperparameters: {}, uncorrected: false };
  assert.deepEqual(row.losses, heatRow({ ...order, racer, ground: { surface, start: [-2, 3], noise: 0.5, seed: 1 } }, 0));
});

test("a new order ends the one before, and a cancelled one says nothing more", async () => {
  const { scope, reports, until } = worker();
  const long = { ...ORDER, steps: 2000 };
  scope.onmessage?.({ data: long });
  await new Promise((resolve) => setTimeout(resolve, 50));
  scope.onmessage?.({ data: { ...ORDER, id: 2, steps: 5 } });
  const before = reports.length;
  await until("done");
  assert.ok(reports.slice(before).every((report) => report.id === 2));
  scope.onmessage?.({ data: { ...long, id: 3 } });
  scope.onmessage?.({ data: { kind: "cancel", id: 3 } });
  const said = reports.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(reports.length, said);
});

test("to cancel what has ended already cancels nothing", async () => {
  const { scope, reports, until } = worker();
  scope.onmessage?.({ data: { ...ORDER, id: 2 } });
  scope.onmessage?.({ data: { kind: "cancel", id: 1 } });
  await until("done");
  assert.equal(reports.length, 33);
});

test("a card with a mistake is answered with the mistake", async () => {
  const { scope, reports, until } = worker();
  scope.onmessage?.({ data: { ...ORDER, rule: { card: ADAM.replace("beta1 *", "beta3 *"), initial: {} } } });
  await until("failed");
  assert.deepEqual(reports, [
    { kind: "failed", id: 1, message: "line 5: beta3 is not known here; did you mean beta1?" },
  ]);
});
