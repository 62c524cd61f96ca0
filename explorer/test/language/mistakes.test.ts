import assert from "node:assert/strict";
import test from "node:test";
import { compile } from "../../src/language/compile";
import { ADAM, messages } from "../cards";

const HEAD = "def f(w, dw, m, t, *, learning_rate=1e-3, beta2=0.9):\n";

/** What is said of one line in an otherwise right card. */
function of(line: string): string {
  const found = messages(`${HEAD}    ${line}\n    return w, m`);
  assert.equal(found.length, 1, `${line}: ${found.join("; ")}`);
  return found[0] ?? "";
}

test("an unknown name is answered with the nearest one", () => {
  assert.equal(of("m = beta3 * m"), "line 2: beta3 is not known here; did you mean beta2?");
  assert.equal(of("m = lr * m"), "line 2: lr is not known here; did you mean learning_rate?");
  assert.equal(of("m = leraning_rate * m"), "line 2: leraning_rate is not known here; did you mean learning_rate?");
  assert.equal(of("m = sqr(m)"), "line 2: there is no function sqr; did you mean sqrt?");
  assert.equal(of("m = zzz * m"), "line 2: zzz is not known here.");
});

test("a mistake says where it stands", () => {
  const compiled = compile(`${HEAD}    m = m + beta3 * m\n    return w, m`);
  assert.ok("mistakes" in compiled);
  const { line, column, length } = compiled.mistakes[0] ?? { line: 0, column: 0, length: 0 };
  assert.deepEqual({ line, column, length }, { line: 2, column: 13, length: 5 });
});

test("every mistake is found, in order, and none is said twice", () => {
  const card = ADAM.replace("beta1 * m +", "beta3 * m +").replace("dw**2", "dw^2").replace("sqrt(vt)", "root(vt)");
  assert.deepEqual(messages(card).map((text) => text.split(":")[0]), ["line 5", "line 6", "line 9"]);
});

test("what would branch is answered with where", () => {
  assert.match(of("if m > 0: m = 1"), /where\(condition, if_true, if_false\)/);
  assert.match(of("m = 1 if m > 0 else 2"), /where\(condition, if_true, if_false\)/);
  const block = `${HEAD}    if m > 0:\n        k = m\n    else:\n        k = w\n    w = w - k\n    return w, m`;
  assert.deepEqual(messages(block).map((text) => text.split(":")[0]), ["line 2", "line 4"]);
});

test("words and operators of Python that a card lacks are answered with what to write", () => {
  assert.match(of("for k in m:"), /no loops/);
  assert.match(of("m = m and w"), /write & for `and`/);
  assert.match(of("m = not m"), /write ~ for `not`/);
  assert.match(of("m = m^2"), /write x\*\*2/);
  assert.match(of("m = w @ m"), /Write \*/);
  assert.match(of("m = 'text'"), /a text was found/);
  assert.match(of("m = sum(dw)"), /looks at a tensor as a whole/);
  assert.match(of("m = math.sqrt(m)"), /write sqrt alone/);
  assert.match(of("m = m.sqrt()"), /belongs to an array/);
  assert.match(of("m = m[0]"), /takes an element out of an array/);
  assert.match(of("m = lambda x: x"), /no functions of its own/);
  assert.match(of("m = max(m, w)"), /write maximum\(x, y\)/);
  assert.match(of("m: float = 1.0"), /carry no types/);
  assert.match(of("m = True"), /no switches/);
});

test("signs from paper are answered with those of the keyboard", () => {
  assert.match(of("m = m × w"), /`×` cannot be read: write \*/);
  assert.match(of("m = m − w"), /write -/);
  assert.match(of("m = w²"), /write \*\*2/);
  assert.match(of("m = 2m"), /write 2 \* m/);
  assert.match(of("m = beta2 (m)"), /write beta2 \* \(\.\.\.\)/);
});

test("conditions and numbers are told apart", () => {
  assert.match(of("m = m + (w > 0)"), /where\(condition, 1\.0, 0\.0\) is a number/);
  assert.match(of("m = where(w, 1.0, 2.0)"), /needs a condition/);
  assert.match(of("m = where((w > 0) & m, 1.0, 2.0)"), /put parentheses around each comparison/);
  assert.match(of("m = where(0 < m < 1, 1.0, 2.0)"), /cannot be chained/);
  assert.match(of("m = where(w > 0 & m > 0, 1.0, 2.0)"), /cannot be chained/);
  assert.match(of("m = where(~(t == 1), 1.0, 2.0)"), /t != 1/);
});

test("% and // are for numbers that change once a step", () => {
  assert.match(of("m = m % 2"), /once a step/);
  assert.deepEqual(messages(`${HEAD}    m = t % 2\n    return w, m`), []);
});

test("functions take as many operands as they have", () => {
  assert.match(of("m = where(w > 0, 1.0)"), /takes 3 operands, where\(condition, if_true, if_false\); it has 2/);
  assert.match(of("m = sqrt()"), /takes 1 operand, sqrt\(x\); it has 0/);
  assert.match(of("m = sqrt(x=m)"), /in order, without names/);
  assert.match(of("m = sqrt * m"), /sqrt is a function/);
});

test("a line that gives nothing a name is refused", () => {
  assert.match(of("m + 1"), /gives it no name/);
  assert.match(of("m == 1"), /write m = /);
  assert.match(of("m = "), /a value is needed here/);
  assert.match(of("m = w w"), /`w` was found where the line should end/);
  assert.match(of("m + w = 2"), /write == to compare/);
  for (const value of ["m * a", "a * m", "-a", "sqrt(a)"]) {
    assert.match(of(`a, b = w, ${value}`), /a is changed and read in one line/);
  }
  assert.match(of("a, b = w"), /2 names and 1 values do not match/);
});

test("a name that gets its value later is told apart from an unknown one", () => {
  const card = `${HEAD}    w = w - step\n    step = dw\n    return w, m`;
  assert.deepEqual(messages(card), ["line 2: step is read here, and gets its value only in line 3."]);
});

test("brackets have to match", () => {
  assert.match(messages(`${HEAD}    m = (m + 1\n    return w, m`)[0] ?? "", /line 2: this \( is never closed/);
  assert.match(messages(`${HEAD}    m = m + 1)\n    return w, m`)[0] ?? "", /line 2: this \) closes nothing/);
  assert.match(messages(`${HEAD}    m = (m + 1]\n    return w, m`)[0] ?? "", /does not close the \( of line 2/);
});

test("signatures are those of rules", () => {
  const of = (head: string): string => messages(`${head}\n    return w`).join("\n");
  assert.match(of("def f(w):"), /the weights and their gradient/);
  assert.match(of("def f(w, t):"), /the weights and their gradient/);
  assert.match(of("def f(w, dw: Scalar):"), /the weights and their gradient/);
  assert.match(of("def f(w, dw, rate=1.0):"), /move it behind the `\*`/);
  assert.match(of("def f(w, dw, *, rate):"), /needs a default/);
  assert.match(of("def f(w, dw, *, rate=x):"), /must be a number/);
  assert.match(of("def f(w, dw, *, on=True):"), /is a switch/);
  assert.match(of("def f(w, dw, *, t=1):"), /t is the step count/);
  assert.match(of("def f(w, dw, *rest):"), /leaves open/);
  assert.match(of("def f(w, dw, w):"), /an argument twice/);
  assert.match(of("def f(w, dw)"), /a colon/);
  assert.match(messages("w = 1")[0] ?? "", /begins with its signature/);
  assert.match(messages("")[0] ?? "", /begins with its signature/);
});

test("what is returned has to fit the signature", () => {
  const of = (line: string): string => messages(`def f(w, dw, m, s: Scalar):\n    ${line}`).join("\n");
  assert.match(of("return w, m"), /returns 2 values; it has to return w, m, s/);
  assert.match(of("return dw, m, s"), /the gradient is returned as the new w/);
  assert.match(of("return w, m > 0, s"), /m has to be a number/);
  assert.match(of("return w, m, m"), /s is one number for all weights/);
  assert.match(of("w = dw"), /returns nothing/);
  assert.match(of("return w, m, s\n    w = 1"), /nothing happens after/);
  assert.equal(of("return (\n        w,\n        m,\n        s,\n    )"), "");
});

test("@rule has to name what there is", () => {
  const of = (line: string): string => messages(`${line}\ndef f(w, dw, mean):\n    return w - dw, mean`).join("\n");
  assert.match(of('@rule(initial={"meen": 1})'), /names meen, which is no state; did you mean mean/);
  assert.match(of('@rule(initial={"mean": "rate"})'), /which is no hyperparameter/);
  assert.match(of("@jit"), /only @rule/);
  assert.equal(of("import numpy as np\nfrom ruleonce import rule, sqrt\n@ro.rule"), "");
});

test("indentation is Python's", () => {
  assert.match(of("m = 1\n      w = 2"), /line 3: this line is not indented as the first one is/);
  assert.match(messages(`${HEAD}m = 1\nreturn w, m`)[0] ?? "", /are indented below/);
});

test("text without end or sense gives messages, never an exception", () => {
  const deep = "(".repeat(3000);
  for (const text of [deep, `${HEAD}    m = ${deep}`, `${HEAD}    m = ${"-".repeat(4000)}1\n    return w, m`,
    `${HEAD}    m = ${"m**".repeat(1000)}1\n    return w, m`, "x".repeat(9000), "def", "def f", "@", "def f(", '"""', "\\"]) {
    assert.ok(messages(text).length > 0, text.slice(0, 40));
  }
  assert.match(of(`m = ${"m + ".repeat(1800)}1`), /too long/);
  assert.deepEqual(messages(`${HEAD}    m = ${"m + ".repeat(200)}1\n    return w, m`), []);
});
