import assert from "node:assert/strict";
import test from "node:test";
import { compile } from "../../src/language/compile";
import { kindsOf } from "../../src/view/panels/kinds";

const ADAM = `def adam(w, dw, m, v, t, *, learning_rate=0.1, beta1=0.9, beta2=0.999, eps=1e-8):
    m = beta1 * m + (1 - beta1) * dw
    v = beta2 * v + (1 - beta2) * dw**2
    mt = m / (1 - beta1**t)
    vt = v / (1 - beta2**t)
    way = mt / (sqrt(vt) + eps)
    w = w - learning_rate * way
    return w, m, v
`;

test("what grows as the gradient, as its square, or not at all, is found by trying", () => {
  const compiled = compile(ADAM);
  assert.ok("rule" in compiled);
  const kinds = kindsOf(compiled.rule, compiled.rule.hyperparameters);
  assert.deepEqual(
    { m: kinds.m, mt: kinds.mt, v: kinds.v, vt: kinds.vt, way: kinds.way },
    { m: "gradient", mt: "gradient", v: "square", vt: "square", way: "free" },
  );
});
