import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { linear, logarithmic, nearOne, scaleOf, type Scale } from "../../src/view/scales";

const SCALES: Record<string, Scale> = {
  linear: linear(-3, 5),
  logarithmic: logarithmic(1e-5, 10),
  "logarithmic from 0": logarithmic(1e-12, 0.1, true),
  "near one": nearOne(),
};

for (const [name, scale] of Object.entries(SCALES)) {
  test(`${name}: a slider comes back to where it was, as near as its digits allow`, () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (position) => {
        const value = scale.value(position);
        const room = 0.05 * Math.abs(value) + 1e-9; // two digits
        assert.ok(value >= scale.low - room && value <= scale.high + room);
        assert.ok(Math.abs(scale.position(value) - position) < 0.02 || value === 0);
      }),
    );
  });

  test(`${name}: the ends of the slider are the ends of the scale`, () => {
    assert.ok(Math.abs(scale.value(0) - scale.low) < 1e-12);
    assert.ok(Math.abs(scale.value(1) - scale.high) < 1e-9);
    assert.equal(scale.position(scale.low), 0);
    assert.ok(Math.abs(scale.position(scale.high) - 1) < 1e-12);
  });
}

test("a hyperparameter's own value lies on its slider", () => {
  const own: [string, number, [number | null, number | null]][] = [
    ["learning_rate", 1e-3, [0, null]],
    ["beta1", 0.9, [0, 1]],
    ["beta2", 0.999, [0, 1]],
    ["eps", 1e-8, [0, null]],
    ["weight_decay", 0, [0, null]],
    ["scale", 1.27, [null, null]],
    ["shift", -2, [null, null]],
  ];
  for (const [name, value, range] of own) {
    const scale = scaleOf(name, value, range);
    const back = scale.value(scale.position(value));
    assert.ok(Math.abs(back - value) <= 0.05 * Math.abs(value), `${name}: ${value} became ${back}`);
  }
});

test("a share below 1 never slides to 1", () => {
  assert.ok(scaleOf("beta2", 0.999, [0, 1]).value(1) < 1);
});
