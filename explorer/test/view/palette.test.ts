import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { slotsOf } from "../../src/view/palette";

const CSS = readFileSync("src/style/colours.css", "utf8");

/** The colour of a name in the light theme and in the dark one. */
function pair(name: string): [string, string] {
  const found = new RegExp(`--${name}: light-dark\\((#\\w{6}), (#\\w{6})\\)`).exec(CSS);
  assert.ok(found, name);
  return [found[1] as string, found[2] as string];
}

/** WCAG 2.2's contrast ratio. */
function contrast(first: string, second: string): number {
  const [light, dark] = [luminance(first), luminance(second)].sort((a, b) => b - a) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red, green, blue] = [1, 3, 5].map((k) => {
    const part = Number.parseInt(colour.slice(k, k + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const RULES = [0, 1, 2, 3, 4, 5].map((slot) => `rule-${slot}`);

test("letters have a contrast of 4.5 with what they stand on, in both themes", () => {
  for (const name of ["ink", "muted", "wrong", ...RULES]) {
    for (const paper of ["paper", "raised"]) {
      pair(name).forEach((colour, k) => {
        const ratio = contrast(colour, pair(paper)[k] as string);
        assert.ok(ratio >= 4.5, `${name} on ${paper}, theme ${k}: ${ratio.toFixed(2)}`);
      });
    }
  }
});

test("paths, marks and edges of controls have a contrast of 3 with all that lies behind them", () => {
  const behind = [...RULES.map((name) => [name, "map-low", "map-high"]), ["edge", "paper", "raised"]];
  for (const [name, ...grounds] of behind as [string, ...string[]][]) {
    for (const ground of grounds) {
      pair(name).forEach((colour, k) => {
        const ratio = contrast(colour, pair(ground)[k] as string);
        assert.ok(ratio >= 3, `${name} on ${ground}, theme ${k}: ${ratio.toFixed(2)}`);
      });
    }
  }
});

test("every rule of a race has a colour and a mark of its own", () => {
  const names = ["adam", "adam", "momentum", "lion", "rmsprop", "sgd"];
  assert.equal(new Set(slotsOf(names)).size, 6);
});

test("Momentum, RMSProp and Adam keep their colours, and who joins changes nobody's", () => {
  assert.deepEqual(slotsOf(["momentum", "rmsprop", "adam"]), [0, 1, 2]);
  assert.deepEqual(slotsOf(["adam", "lion"]).slice(0, 1), [2]);
  const before = slotsOf(["lion", "sgd", "adam"]);
  assert.deepEqual(slotsOf(["lion", "sgd", "adam", "momentum"]).slice(0, 3), before);
});
