import assert from "node:assert/strict";
import test from "node:test";
import { value } from "../cards";

test("powers bind tighter than a sign on the left, and group from the right", () => {
  assert.equal(value("-w**2", { w: 3 }), -9);
  assert.equal(value("2**-w", { w: 1 }), 0.5);
  assert.equal(value("w**3**2", { w: 2 }), 512);
  assert.equal(value("(w**3)**2", { w: 2 }), 64);
  assert.equal(value("--w", { w: 2 }), 2);
});

test("products and sums group from the left", () => {
  assert.equal(value("w - dw - s", { w: 1, dw: 2, s: 3 }), -4);
  assert.equal(value("w / dw / s", { w: 12, dw: 2, s: 3 }), 2);
  assert.equal(value("w / dw * s", { w: 12, dw: 2, s: 3 }), 18);
  assert.equal(value("w - dw * s", { w: 1, dw: 2, s: 3 }), -5);
  assert.equal(value("-w * dw", { w: 2, dw: 3 }), -6);
});

test("numbers are those of Python", () => {
  const spelled = ["1e-8", ".5", "5.", "1_000", "2.5E+3"];
  assert.deepEqual(spelled.map((text) => value(text)), [1e-8, 0.5, 5, 1000, 2500]);
  assert.equal(value("np.pi"), Math.PI);
});

test("of equal numbers maximum and minimum give the second", () => {
  assert.ok(Object.is(value("maximum(w, dw)", { w: -0, dw: 0 }), 0));
  assert.ok(Object.is(value("maximum(w, dw)", { w: 0, dw: -0 }), -0));
  assert.ok(Object.is(value("minimum(w, dw)", { w: 0, dw: -0 }), -0));
  assert.ok(Object.is(value("minimum(w, dw)", { w: -0, dw: 0 }), 0));
});

test("nan wins in maximum, minimum and clip, whichever side it is on", () => {
  for (const text of ["maximum(w, dw)", "minimum(w, dw)", "maximum(dw, w)", "clip(w, 0.0, 1.0)"]) {
    assert.ok(Number.isNaN(value(text, { w: NaN, dw: 1 })), text);
  }
});

test("the sign of -0 is 0, and that of nan is nan", () => {
  assert.ok(Object.is(value("sign(w)", { w: -0 }), 0));
  assert.deepEqual([value("sign(w)", { w: -7 }), value("sign(w)", { w: 1e-300 })], [-1, 1]);
  assert.ok(Number.isNaN(value("sign(w)", { w: NaN })));
});

test("the remainder has the sign of the divisor, and // rounds down", () => {
  assert.equal(value("(0 - t) % 3", { t: 1 }), 2);
  assert.equal(value("t % -3", { t: 1 }), -2);
  assert.equal(value("(0 - t) // 2", { t: 7 }), -4);
  assert.equal(value("t // 2", { t: 7 }), 3);
  assert.equal(value("h // 0.1", { h: 1 }), 9); // as in Python: 0.1 is a little above a tenth
});

test("1 to any power is 1", () => {
  assert.equal(value("h**w", { h: 1, w: NaN }), 1);
  assert.equal(value("h**t", { h: 1, t: Infinity }), 1);
  assert.equal(value("h**t", { h: -1, t: Infinity }), 1);
});

test("conditions choose, and are joined by &, | and ~", () => {
  const text = "where((w > 0) & ~(dw > 0) | (s == 3), 1.0, 0.0)";
  assert.equal(value(text, { w: 1, dw: -1, s: 0 }), 1);
  assert.equal(value(text, { w: 1, dw: 1, s: 0 }), 0);
  assert.equal(value(text, { w: -1, dw: 1, s: 3 }), 1);
  assert.equal(value("where(w != w, 1.0, 2.0)", { w: NaN }), 1);
});

test("functions mean what NumPy means by them", () => {
  const found = ["sqrt(w)", "cbrt(0 - w)", "exp(w)", "log(w)", "tanh(w)", "arctan2(w, dw)", "square(w)"];
  const wanted = [Math.sqrt(8), -2, Math.exp(8), Math.log(8), Math.tanh(8), Math.atan2(8, 2), 64];
  assert.deepEqual(found.map((text) => value(text, { w: 8, dw: 2 })), wanted);
  assert.equal(value("power(w, dw)", { w: 8, dw: 2 }), 64);
  assert.equal(value("ro.reciprocal(np.absolute(w))", { w: -8 }), 1 / 8);
  assert.equal(value("log(w)", { w: 0 }), -Infinity);
});

test("a known power of a weight takes NumPy's short cuts, which are exact", () => {
  const w = 1.1;
  assert.equal(value("w**2", { w }), w * w);
  assert.ok(Object.is(value("w**0.5", { w: -0 }), -0)); // as the square root has it; a power has 0
  assert.equal(value("w**-1", { w }), 1 / w);
  assert.equal(value("w**0", { w: NaN }), 1);
});
