import assert from "node:assert/strict";
import test from "node:test";
import type { Rule } from "../../src/types";
import { ADAGRAD, ADAM, LION, messages, MOMENTUM, NADAM, RMSPROP, RPROP, ruleFrom } from "../cards";

/** w and state after steps with these gradients, from w = 0. */
function after(rule: Rule, gradients: number[], t0 = 0): number[] {
  let row = [0, ...rule.state.map((name) => start(rule, name))];
  let scalars = rule.scalars.map((name) => start(rule, name));
  for (const [k, dw] of gradients.entries()) {
    const host = rule.host(rule.hyperparameters, scalars, t0 + k + 1);
    row = rule.element(row[0] ?? NaN, dw, row.slice(1), host.numbers);
    scalars = host.scalars;
  }
  return row;
}

function start(rule: Rule, name: string): number {
  const from = rule.initial[name] ?? 0;
  return typeof from === "number" ? from : (rule.hyperparameters[from] ?? NaN);
}

function near(found: number | undefined, wanted: number, digits = 1e-12): void {
  assert.ok(Math.abs((found ?? NaN) - wanted) <= digits * Math.abs(wanted), `${found} is not ${wanted}`);
}

test("a signature says what each argument is", () => {
  const rule = ruleFrom(NADAM);
  assert.equal(rule.name, "nadam");
  assert.deepEqual(rule.tensors, ["w", "dw", "m", "v"]);
  assert.deepEqual(rule.state, ["m", "v"]);
  assert.deepEqual(rule.scalars, ["product"]);
  assert.deepEqual(Object.keys(rule.hyperparameters), ["learning_rate", "beta1", "beta2", "eps"]);
  assert.deepEqual(rule.initial, { product: 1 });
  assert.deepEqual(ruleFrom(ADAM).names, ["m", "v", "mt", "vt", "w"]);
});

test("the first step of Adam is as long as the learning rate, whatever the gradient", () => {
  for (const dw of [1e-3, -1, 500]) near(after(ruleFrom(ADAM), [dw])[0], -1e-3 * Math.sign(dw), 1e-4);
});

test("without bias correction the first step of Adam is sqrt(10) times as long", () => {
  const rule = ruleFrom(ADAM);
  assert.equal(rule.correctsBias, true);
  near(after(rule, [5], Infinity)[0], -1e-3 * Math.sqrt(10), 1e-6);
});

test("with a constant gradient momentum's steps grow as a geometric sum", () => {
  const [w, m] = after(ruleFrom(MOMENTUM), [1, 1, 1]);
  near(m, -1e-3 * (1 + 0.9 + 0.81));
  near(w, -1e-3 * (1 + 1.9 + 2.71));
});

test("with a constant gradient AdaGrad's steps fall as 1 / sqrt(t)", () => {
  const [w, v] = after(ruleFrom(ADAGRAD), [2, 2, 2, 2]);
  assert.equal(v, 16);
  near(w, -1e-3 * (1 + 1 / Math.sqrt(2) + 1 / Math.sqrt(3) + 1 / 2), 1e-7);
});

test("the history of RMSProp approaches the squared gradient", () => {
  const [, v] = after(ruleFrom(RMSPROP), Array(3).fill(2));
  near(v, 4 * (1 - 0.999 ** 3), 1e-10);
});

test("Lion steps by a sign, and looks at the newest gradient once more", () => {
  const [w, m] = after(ruleFrom(LION), [3, -3]);
  near(m, 0.99 * 0.03 - 0.03);
  assert.equal(w, 0); // one step to either side: 0.9 * 0.03 - 0.1 * 3 is below 0
});

test("Rprop's length starts at the learning rate, grows, and shrinks where the sign turns", () => {
  near(after(ruleFrom(RPROP), [1])[0], -0.01);
  near(after(ruleFrom(RPROP), [1, 1])[2], 0.012);
  const [w, previous, length] = after(ruleFrom(RPROP), [1, 1, -1]);
  near(w, -0.022);
  near(length, 0.006);
  assert.equal(previous, 0);
});

test("scalar state goes from step to step", () => {
  const rule = ruleFrom(NADAM);
  const mu = (t: number): number => 0.9 * (1 - 0.5 * 0.96 ** (t * 4e-3));
  const first = rule.host(rule.hyperparameters, [1], 1);
  near(first.scalars[0], mu(1));
  near(rule.host(rule.hyperparameters, first.scalars, 2).scalars[0], mu(1) * mu(2));
});

test("names have the values that they had last", () => {
  const rule = ruleFrom(ADAM);
  const { numbers } = rule.host(rule.hyperparameters, [], 1);
  const named = rule.named(1, 5, [0, 0], numbers);
  [0.5, 0.025, 5, 25].forEach((wanted, k) => near(named[k], wanted));
  assert.equal(named[4], rule.element(1, 5, [0, 0], numbers)[0]);
});

test("names stand in the order in which they were given their last value", () => {
  const card = "def f(w, dw, m):\n    m = dw\n    m = m * 2\n    k = m + 1\n    m = m - k\n    w = w - m\n    return w, m";
  assert.deepEqual(ruleFrom(card).names, ["k", "m", "w"]);
});

test("t corrects bias only where it is nothing but an exponent of a hyperparameter", () => {
  const body = (line: string): Rule =>
    ruleFrom(`def f(w, dw, t, *, beta=0.9):\n    w = w - ${line}\n    return w`);
  assert.equal(body("dw / (1 - beta**t)").correctsBias, true);
  for (const line of ["dw", "dw / t", "dw * 0.9**t", "dw * beta**(t + 1)", "t**beta * beta**t"]) {
    assert.equal(body(line).correctsBias, false, line);
  }
  const kept = "def f(w, dw, last: Scalar, t, *, beta=0.9):\n    return w - dw * beta**t, t";
  assert.equal(ruleFrom(kept).correctsBias, false);
});

test("several names in one line are given at once", () => {
  const rule = ruleFrom("def f(w, dw):\n    a, b = dw + 1, dw * 2\n    return w - a * b");
  assert.equal(rule.element(0, 3, [], [])[0], -24);
});

test("what an edited card leaves open is as with its rule", () => {
  const base = { initial: { m: 2, gone: 1, v: "eps" }, ranges: { beta1: [0, 1] as [number, number] } };
  assert.deepEqual(ruleFrom(MOMENTUM, base).initial, { m: 2 });
  assert.deepEqual(ruleFrom(ADAM, base).initial, { m: 2, v: "eps" });
  assert.deepEqual(messages(MOMENTUM.replace("beta1=0.9", "beta1=1.0"), base), [
    "line 2: beta1 is 1; it must be at least 0 and below 1.",
  ]);
});

test("names of JavaScript's own are names like any other", () => {
  const card = "def constructor(w, dw, toString, *, __proto__=2.0, new=1.0):\n" +
    "    this = dw * new + toString\n    return w - this, this";
  const rule = ruleFrom(card);
  assert.equal(rule.element(1, 2, [3], rule.host({ new: 1 }, [], 1).numbers)[0], -4);
});
