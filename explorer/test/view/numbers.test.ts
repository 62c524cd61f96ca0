import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { plain, shown } from "../../src/view/numbers";

test("numbers are shown with their digits, a true minus, and a power of ten far from 1", () => {
  const cases: [number, number, string][] = [
    [3.16227766, 3, "3.16"],
    [-0.1, 6, "−0.100000"],
    [0.000944239, 6, "9.44239e−4"],
    [1234567, 3, "1.23e6"],
    [20, 1, "20"],
    [500, 1, "500"],
    [0, 6, "0"],
    [NaN, 6, "–"],
    [-Infinity, 6, "−∞"],
  ];
  for (const [value, digits, text] of cases) assert.equal(shown(value, digits), text);
});

test("what is shown is the number, to its digits", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const back = Number(shown(value).replaceAll("−", "-"));
      assert.ok(Math.abs(back - value) <= 1e-5 * Math.abs(value));
    }),
  );
});

test("what the reader may set is written so that it can be read back, exactly", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.equal(Number(plain(value)), value === 0 ? 0 : value);
    }),
  );
});
