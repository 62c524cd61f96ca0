import assert from "node:assert/strict";
import test from "node:test";
import { compile } from "../../src/language/compile";
import { formulas, mathML, symbolML } from "../../src/language/mathml";
import { ADAM, LION, MOMENTUM, RPROP } from "../cards";

/** The formulas as plain text: indices after _, exponents after ^, fractions as (a)/(b). */
function rows(card: string): string[] {
  const compiled = compile(card);
  assert.ok("syntax" in compiled);
  return formulas(compiled.syntax).map(({ left, right }) => `${plain(left)} = ${plain(right)}`);
}

/** The right side of `w = <expression>`. */
function right(expression: string): string {
  const card = `def f(w, dw, s, t, *, beta1=0.5, learning_rate=1.0):\n    x = ${expression}\n    return w - x, s`;
  return (rows(card)[0] ?? "").replace("x = ", "");
}

interface Element {
  tag: string;
  children: (Element | string)[];
}

function plain(markup: string): string {
  const root: Element = { tag: "", children: [] };
  const open = [root];
  for (const [, closing, tag = "", , selfClosed, text] of markup.matchAll(
    /<(\/?)([a-z]+)((?:\s+[a-z-]+="[^"]*")*)\s*(\/?)>|([^<]+)/g,
  )) {
    const top = open.at(-1) as Element;
    if (text !== undefined) top.children.push(text);
    else if (closing === "/") assert.equal(open.pop()?.tag, tag, markup);
    else {
      const element = { tag, children: [] };
      top.children.push(element);
      if (selfClosed === "") open.push(element);
    }
  }
  assert.equal(open.length, 1, markup);
  return said(root);
}

const COUNTS: Record<string, number> = { mfrac: 2, msup: 2, msub: 2, msubsup: 3, mroot: 2, mover: 2 };

function said(element: Element | string): string {
  if (typeof element === "string") return element.replace("&#x2062;", " ").replace("&#x2061;", "");
  const parts = element.children.map(said);
  const [a, b, c] = parts;
  const count = COUNTS[element.tag];
  if (count !== undefined) assert.equal(parts.length, count, `${element.tag}: ${parts.join(" | ")}`);
  switch (element.tag) {
    case "mfrac": return `(${a})/(${b})`;
    case "msup": return b === "′" ? `${a}′` : `${a}^{${b}}`;
    case "mover": return `${a}${b}`;
    case "msub": return `${a}_{${b}}`;
    case "msubsup": return `${a}_{${b}}^{${c}}`;
    case "msqrt": return `√{${parts.join("")}}`;
    case "mroot": return `√${b}{${a}}`;
    case "mtr": return `${parts.join(" if ")};`;
    default: return parts.join("");
  }
}

test("Adam's formulas are those of the paper", () => {
  assert.deepEqual(rows(ADAM), [
    "m_{t} = β_{1} m_{t−1}+(1−β_{1}) dw",
    "v_{t} = β_{2} v_{t−1}+(1−β_{2}) dw^{2}",
    "mt = (m_{t})/(1−β_{1}^{t})",
    "vt = (v_{t})/(1−β_{2}^{t})",
    "w_{t} = w_{t−1}−(η mt)/(√{vt}+ϵ)",
  ]);
});

test("what is read before it is assigned is of the step before", () => {
  assert.deepEqual(rows(LION), [
    "w_{t} = w_{t−1}−η sign(β_{1} m_{t−1}+(1−β_{1}) dw)",
    "m_{t} = β_{2} m_{t−1}+(1−β_{2}) dw",
  ]);
  assert.equal(rows(MOMENTUM)[1], "w_{t} = w_{t−1}+m_{t}");
});

test("a name on the way to its last value has primes, and an argument that is a result its name", () => {
  const found = rows("def f(w, dw, m, *, a=1.0):\n    w = w * a\n    w = w - dw\n    return w, dw");
  assert.deepEqual(found, ["w′ = w_{t−1} a", "w_{t} = w′−dw", "m_{t} = dw"]);
  assert.ok(rows(RPROP).includes("previous_{t} = {0 if turned&lt;0;dw if otherwise;"), rows(RPROP).join("\n"));
});

test("a result that the card calls otherwise has the name of its state", () => {
  const found = rows("def f(w, dw, m):\n    new = m + dw\n    w = w - new\n    return w, new");
  assert.deepEqual(found, ["m_{t} = m_{t−1}+dw", "w_{t} = w_{t−1}−m_{t}"]);
});

test("brackets stand where they are needed, and only there", () => {
  assert.equal(right("(w + dw) * s"), "(w_{t−1}+dw) s_{t−1}");
  assert.equal(right("w - (dw - s)"), "w_{t−1}−(dw−s_{t−1})");
  assert.equal(right("w + (dw + s)"), "w_{t−1}+dw+s_{t−1}");
  assert.equal(right("-(w + dw)"), "−(w_{t−1}+dw)");
  assert.equal(right("(w + dw)**2"), "(w_{t−1}+dw)^{2}");
  assert.equal(right("w**2"), "(w_{t−1})^{2}");
  assert.equal(right("w * w"), "(w_{t−1})^{2}");
  assert.equal(right("beta1**(t + 1)"), "β_{1}^{t+1}");
  assert.equal(right("(1 - beta1)**t"), "(1−β_{1})^{t}");
  assert.equal(right("dw / (s + 1)"), "(dw)/(s_{t−1}+1)");
  assert.equal(right("(dw / s)**2"), "((dw)/(s_{t−1}))^{2}");
  assert.equal(right("w * -dw"), "w_{t−1} (−dw)");
});

test("numbers are short, and powers of ten where they are large or small", () => {
  const found = ["1e-8", "0.001", "2.5e-7", "1000000.0", "0.5 * 0.96**t"].map(right);
  assert.deepEqual(found, ["10^{−8}", "0.001", "2.5⋅10^{−7}", "10^{6}", "0.5⋅0.96^{t}"]);
});

test("functions are written as in mathematics", () => {
  assert.equal(right("abs(dw)"), "|dw|");
  assert.equal(right("cbrt(dw)"), "√3{dw}");
  assert.equal(right("clip(dw, 0.0, 1.0)"), "min(max(dw,0),1)");
  assert.equal(right("np.power(dw, 3)"), "dw^{3}");
  assert.equal(right("t // 2"), "⌊(t)/(2)⌋");
  assert.equal(right("where(dw > 0, 1.0, 2.0)"), "{1 if dw&gt;0;2 if otherwise;");
  const nested = right("where(dw > 0, 1.0, where(dw < 0, 2.0, 3.0))");
  assert.equal(nested, "{1 if dw&gt;0;2 if dw&lt;0;3 if otherwise;");
});

test("names are symbols, with their index and hat", () => {
  const found = ["learning_rate", "beta2", "m_hat", "v_hat2", "weight_decay", "longest", "nu1", "_", "dw"];
  const wanted = ["η", "β_{2}", "m^", "v^_{2}", "λ", "longest", "ν_{1}", "_", "dw"];
  const symbols = found.map((name) => plain(symbolML(name)));
  assert.deepEqual(symbols, wanted);
});

test("the whole is one table, aligned at the equals signs", () => {
  const compiled = compile(ADAM);
  assert.ok("syntax" in compiled);
  const found = mathML(compiled.syntax);
  assert.match(found, /^<math display="block"><mtable displaystyle="true">(<mtr><mtd [^]*<\/mtr>)+<\/mtable><\/math>$/);
  assert.equal(found.match(/<mo>=<\/mo>/g)?.length, 5);
});
