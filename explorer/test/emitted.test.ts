import assert from "node:assert/strict";
import test from "node:test";
import { ruleOf, surfaceOf } from "../src/emitted";
import { BOWL, DATA } from "./cards";

test("a surface has the parameters that were given, and its own for the others", () => {
  const surface = surfaceOf(BOWL, { condition: 50 });
  assert.deepEqual(surface.parameters, { condition: 50, lift: 0 });
  assert.equal(surface.height(2, 3), (50 * 4 + 9) / 2);
  assert.deepEqual(surface.slope(2, 3), [100, 3]);
  assert.equal(surfaceOf(BOWL, { lift: 0.5 }).height(0, 0), 0.5);
});

test("a rule takes its inputs by name and in order", () => {
  const data = DATA.rules[0];
  assert.ok(data);
  const rule = ruleOf(data);
  const host = rule.host({ beta1: 0.5, learning_rate: 0.1, other: 9 }, [], 1);
  assert.deepEqual(host.numbers, [0.5, 0.1]);
  assert.deepEqual(rule.element(1, 2, [4], host.numbers), [1 + 2 - 0.2, 2 - 0.2]);
  assert.deepEqual(rule.named(1, 2, [4], host.numbers), [2 - 0.2, 1 + 2 - 0.2]);
  assert.deepEqual(rule.state, ["m"]);
});
