import assert from "node:assert/strict";
import test from "node:test";
import { Race } from "../src/race";
import type { Ground, Racer } from "../src/walker";
import { ADAM, bowl, LION, MOMENTUM, ruleFrom } from "./cards";

const GROUND: Ground = { surface: bowl(), start: [-2, 3], noise: 0.5, seed: 1 };

function racer(card: string, learning_rate = 0.01): Racer {
  return { rule: ruleFrom(card), hyperparameters: { learning_rate }, uncorrected: false };
}

function race(): Race {
  return new Race(GROUND, [racer(ADAM), racer(MOMENTUM), racer(LION)]);
}

function places(of: Race): [number, number][] {
  return of.walkers.map((walker) => walker.weights);
}

test("all walkers step together, from one start", () => {
  const found = race();
  assert.deepEqual(places(found), [[-2, 3], [-2, 3], [-2, 3]]);
  found.step(10);
  assert.deepEqual(found.walkers.map((walker) => walker.t), [10, 10, 10]);
  assert.equal(found.t, 10);
});

test("all walkers meet the same noise at the same step", () => {
  const card = "def still(w, dw, last):\n    return w, dw";
  const [first, second] = new Race({ ...GROUND }, [racer(card), racer(card)]).walkers;
  const gradient = (): (number | undefined)[] =>
    [first, second].map((walker) => walker?.inside("next")?.coordinates[0].gradient);
  const before = gradient();
  assert.equal(before[0], before[1]);
  first?.step();
  second?.step();
  assert.equal(gradient()[0], gradient()[1]);
  assert.notEqual(gradient()[0], before[0]);
});

test("any step of a race can be gone to again", () => {
  const found = race();
  found.step(30);
  const at30 = places(found);
  found.step(20);
  found.goTo(30);
  assert.equal(found.t, 30);
  assert.deepEqual(places(found), at30);
  found.goTo(50);
  assert.equal(found.walkers[0]?.history.count, 51);
});

test("one with other numbers catches up, and the others keep their paths", () => {
  const found = race();
  found.step(25);
  const [adam, momentum] = found.walkers;
  assert.ok(adam && momentum);
  found.enter([adam.racer, racer(MOMENTUM, 0.02), racer(LION)]);
  assert.equal(found.walkers[0], adam);
  assert.notEqual(found.walkers[1], momentum);
  assert.deepEqual(found.walkers.map((walker) => walker.t), [25, 25, 25]);
});

test("on another ground the race walks on to the same step", () => {
  const found = race();
  found.step(25);
  found.move({ ...GROUND, start: [1, 1] });
  assert.equal(found.walkers[0]?.history.at("x", 0), 1);
  assert.deepEqual(found.walkers.map((walker) => walker.t), [25, 25, 25]);
});

test("a race goes on while one walks, and ends when all have stopped", () => {
  const found = new Race(GROUND, [racer(MOMENTUM, 50), racer(ADAM)]);
  assert.equal(found.step(100), true);
  assert.ok((found.walkers[0]?.t ?? 100) < 100 && found.walkers[1]?.t === 100);
  const lost = new Race(GROUND, [racer(MOMENTUM, 50)]);
  assert.equal(lost.step(100), false);
  assert.ok(lost.t < 100);
});

test("six may race, and no more", () => {
  const six = Array.from({ length: 6 }, () => racer(ADAM));
  assert.equal(new Race(GROUND, six).walkers.length, 6);
  assert.throws(() => new Race(GROUND, [...six, racer(ADAM)]), /room for 6/);
});
