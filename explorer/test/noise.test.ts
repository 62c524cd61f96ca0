import assert from "node:assert/strict";
import test from "node:test";
import { normalPair } from "../src/noise";

const COUNT = 20_000;
const draws = Array.from({ length: COUNT }, (_, step) => normalPair(7, step));

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

test("the same seed and step give the same noise, and others give other noise", () => {
  assert.deepEqual(normalPair(7, 3), normalPair(7, 3));
  assert.notDeepEqual(normalPair(7, 3), normalPair(7, 4));
  assert.notDeepEqual(normalPair(7, 3), normalPair(8, 3));
  assert.notDeepEqual(normalPair(7, 4), normalPair(8, 3)); // a seed is not where to begin
});

test("the noise is normal: mean 0, variance 1, fourth moment 3", () => {
  for (const k of [0, 1] as const) {
    const values = draws.map((pair) => pair[k]);
    assert.ok(Math.abs(mean(values)) < 4 / Math.sqrt(COUNT));
    assert.ok(Math.abs(mean(values.map((x) => x ** 2)) - 1) < 4 * Math.sqrt(2 / COUNT));
    assert.ok(Math.abs(mean(values.map((x) => x ** 4)) - 3) < 4 * Math.sqrt(96 / COUNT));
    assert.ok(values.every(Number.isFinite));
  }
});

test("neither the coordinates, nor steps, nor seeds that follow each other go together", () => {
  const bound = 4 / Math.sqrt(COUNT);
  const next = (seed: number, step: number): number => normalPair(seed, step)[0];
  assert.ok(Math.abs(mean(draws.map(([x, y]) => x * y))) < bound);
  assert.ok(Math.abs(mean(draws.map(([x], step) => x * next(7, step + 1)))) < bound);
  assert.ok(Math.abs(mean(draws.map(([x], step) => x * next(8, step)))) < bound);
});
