import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { hyperparametersIn, tokens } from "../../src/view/panels/highlight";

test("the tokens of a line are the line, whatever is typed", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const line = text.replaceAll(/[\n\r\u2028\u2029]/g, "");
      assert.equal(
        tokens(line, new Set(["beta1"]))
          .map((token) => token.text)
          .join(""),
        line,
      );
    }),
  );
});

test("what is set, hyperparameters, numbers and functions are told apart", () => {
  const kinds = Object.fromEntries(
    tokens("    m = beta1 * sqrt(m) + 1e-3  # so", new Set(["beta1"])).map(({ text, kind }) => [
      text,
      kind,
    ]),
  );
  assert.equal(kinds.beta1, "hyperparameter");
  assert.equal(kinds.sqrt, "function");
  assert.equal(kinds["1e-3"], "number");
  assert.equal(kinds["# so"], "comment");
  assert.equal(tokens("    m = m", new Set())[1]?.kind, "target");
});

test("hyperparameters are found in a signature of several lines, and not coloured as what is set", () => {
  const known = hyperparametersIn(
    "def adam(\n    w, dw, m, t, *,\n    learning_rate=1e-3, beta1=0.9,\n):\n",
  );
  assert.deepEqual([...known], ["learning_rate", "beta1"]);
  assert.equal(tokens("    learning_rate=1e-3,", known)[1]?.kind, "hyperparameter");
});
