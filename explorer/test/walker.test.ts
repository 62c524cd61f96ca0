import assert from "node:assert/strict";
import test from "node:test";
import { ruleOf, surfaceOf } from "../src/emitted";
import { type Ground, Walker } from "../src/walker";
import { ADAM, bowl, DATA, LION, MOMENTUM, NADAM, PLAIN, RPROP, ruleFrom } from "./cards";

const GROUND: Ground = { surface: bowl(), start: [-2, 3], noise: 0, seed: 1 };
const LEARNING_RATE = 0.01;

function adam(uncorrected = false, ground = GROUND): Walker {
  const hyperparameters = { learning_rate: LEARNING_RATE };
  return new Walker({ rule: ruleFrom(ADAM), hyperparameters, uncorrected }, ground);
}

function near(found: number, wanted: number, digits = 1e-6): void {
  assert.ok(Math.abs(found - wanted) <= digits * Math.abs(wanted), `${found} is not ${wanted}`);
}

test("Adam's first step is as long as the learning rate in each coordinate", () => {
  const walker = adam();
  walker.step();
  near(walker.weights[0], -2 + LEARNING_RATE);
  near(walker.weights[1], 3 - LEARNING_RATE);
  assert.equal(walker.t, 1);
});

test("without bias correction it is 3.16 times as long", () => {
  const walker = adam(true);
  walker.step();
  near(walker.weights[0], -2 + Math.sqrt(10) * LEARNING_RATE);
  near(walker.history.at("step", 1), Math.sqrt(20) * LEARNING_RATE);
});

test("a rule without bias correction walks the same with the switch off", () => {
  const paths = [false, true].map((uncorrected) => {
    const walker = new Walker({ rule: ruleFrom(NADAM), hyperparameters: {}, uncorrected }, GROUND);
    for (let k = 0; k < 5; k += 1) walker.step();
    return walker.weights;
  });
  assert.deepEqual(paths[0], paths[1]);
});

test("inside the step stand the numbers that it was made of", () => {
  const walker = adam();
  const next = walker.inside("next");
  assert.equal(walker.inside("last"), null);
  walker.step();
  const last = walker.inside("last");
  assert.deepEqual(last, next);
  const [x, y] = last?.coordinates ?? [];
  assert.deepEqual([x?.weight, x?.gradient, y?.gradient], [-2, -20, 3]);
  near(x?.named.m ?? NaN, -2);
  near(x?.named.mt ?? NaN, -20);
  near(y?.named.vt ?? NaN, 9);
  near(x?.step ?? NaN, LEARNING_RATE);
  assert.deepEqual(x?.state, { m: 0, v: 0 });
  assert.equal(x?.outputs.w, walker.weights[0]);
  assert.equal(last?.t, 1);
  walker.step();
  assert.equal(walker.inside("last")?.coordinates[0].state.m, x?.outputs.m);
});

test("the history has a row for the start and one for each step", () => {
  const walker = adam();
  for (let k = 0; k < 700; k += 1) walker.step();
  const { history } = walker;
  assert.equal(history.count, 701);
  assert.deepEqual([history.at("x", 0), history.at("y", 0), history.at("loss", 0)], [-2, 3, 24.5]);
  assert.equal(history.at("x", 700), walker.weights[0]);
  assert.equal(history.column("loss").length, 701);
  assert.ok(Number.isNaN(history.at("step", 0)));
  assert.ok(Number.isNaN(history.at("x", 701)));
});

test("effective learning rate and update-to-weight ratio are those of the step", () => {
  const walker = adam();
  walker.step();
  near(walker.history.at("rateX", 1), LEARNING_RATE / 20);
  near(walker.history.at("rateY", 1), LEARNING_RATE / 3);
  near(walker.history.at("ratio", 1), (Math.SQRT2 * LEARNING_RATE) / Math.hypot(2, 3));
});

test("where there is no gradient there is no rate, but a gap", () => {
  const walker = adam(false, { ...GROUND, start: [0, 0] });
  walker.step();
  assert.ok(Number.isNaN(walker.history.at("rateX", 1)) && Number.isNaN(walker.history.at("ratio", 1)));
  assert.equal(walker.stopped, "");
});

test("state may start at a hyperparameter of the walker's own", () => {
  const racer = { rule: ruleFrom(RPROP), hyperparameters: { learning_rate: 0.5 }, uncorrected: false };
  const walker = new Walker(racer, GROUND);
  walker.step();
  assert.deepEqual(walker.weights, [-1.5, 2.5]);
});

test("a walker that diverges stops, and says so", () => {
  const racer = { rule: ruleFrom(MOMENTUM), hyperparameters: { learning_rate: 5 }, uncorrected: false };
  const walker = new Walker(racer, GROUND);
  for (let k = 0; k < 50; k += 1) walker.step();
  assert.ok(walker.t < 50);
  assert.match(walker.stopped, /^Step \d+ led far away/);
  assert.equal(walker.inside("next"), null);
  walker.reset();
  assert.equal(walker.stopped, "");
  assert.ok(walker.step());
});

test("a walker whose weights are no number stops, and says so", () => {
  const rule = ruleFrom("def f(w, dw):\n    return w - dw / (dw - dw)");
  const walker = new Walker({ rule, hyperparameters: {}, uncorrected: false }, GROUND);
  assert.ok(walker.step());
  assert.match(walker.stopped, /^Step 1 led to what is no number/);
  assert.equal(walker.step(), false);
});

test("back at the start, the same walk follows", () => {
  const walker = adam(false, { ...GROUND, noise: 1 });
  const walk = (): number[] => {
    for (let k = 0; k < 20; k += 1) walker.step();
    return [...walker.history.column("x"), ...walker.history.column("loss")];
  };
  const first = walk();
  walker.reset();
  assert.equal(walker.t, 0);
  assert.equal(walker.inside("last"), null);
  assert.deepEqual(walk(), first);
});

test("noise is added to the gradient as it stands", () => {
  const ground = { ...GROUND, surface: surfaceOf(PLAIN), noise: 0.25 };
  const rule = ruleFrom("def f(w, dw):\n    return w - 0.0 * dw");
  const walker = new Walker({ rule, hyperparameters: {}, uncorrected: false }, ground);
  const seen: number[] = [];
  for (let k = 0; k < 2000; k += 1) {
    walker.step();
    seen.push(walker.inside("last")?.coordinates[0].gradient ?? NaN);
  }
  const mean = seen.reduce((sum, x) => sum + x, 0) / seen.length;
  const spread = Math.sqrt(seen.reduce((sum, x) => sum + (x - mean) ** 2, 0) / seen.length);
  near(mean, 1, 0.03);
  near(spread, 0.25, 0.05);
});

test("a rule that Python emitted walks as its card does", () => {
  const data = DATA.rules[0];
  assert.ok(data);
  const [emitted, compiled] = [ruleOf(data), ruleFrom(MOMENTUM)].map((rule) => {
    const walker = new Walker({ rule, hyperparameters: { beta1: 0.8 }, uncorrected: false }, GROUND);
    for (let k = 0; k < 50; k += 1) walker.step();
    return [...walker.weights, walker.inside("last")?.coordinates[0].named.m];
  });
  assert.deepEqual(emitted, compiled);
});

test("Lion's steps all have one length", () => {
  const walker = new Walker({ rule: ruleFrom(LION), hyperparameters: {}, uncorrected: false }, GROUND);
  for (let k = 0; k < 30; k += 1) walker.step();
  for (const length of walker.history.column("step").subarray(1)) near(length, Math.SQRT2 * 1e-4, 1e-9);
});
