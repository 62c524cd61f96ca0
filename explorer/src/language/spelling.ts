/** Expressions in MathML, with the brackets that they need and no others. */

import { type Symbol, spelledNumber, spelledSymbol } from "./symbols";
import type { Expression } from "./syntax";

/** How tightly a part holds its operands together: a looser one inside needs brackets. */
const [ATOM, POWER, PRODUCT, MINUS, SUM, COMPARE, LOGIC] = [0, 1, 2, 3, 4, 5, 6] as const;

interface Spelled {
  text: string;
  tightness: number;
}

/** What a name stands for where it is read. */
export type Lookup = (name: string) => Symbol;

const TIMES = '<mo lspace="0" rspace="0">&#x2062;</mo><mspace width="0.15em"></mspace>';

/** operator: how tight the result is, how tight left and right must be, the sign between */
const INFIX: Readonly<Record<string, readonly [number, number, number, string]>> = {
  "+": [SUM, SUM, SUM, "+"],
  "-": [SUM, SUM, PRODUCT, "−"],
  "%": [PRODUCT, PRODUCT, POWER, "mod"],
  "<": [COMPARE, SUM, SUM, "&lt;"],
  "<=": [COMPARE, SUM, SUM, "≤"],
  ">": [COMPARE, SUM, SUM, "&gt;"],
  ">=": [COMPARE, SUM, SUM, "≥"],
  "==": [COMPARE, SUM, SUM, "="],
  "!=": [COMPARE, SUM, SUM, "≠"],
  "&": [LOGIC, COMPARE, COMPARE, "∧"],
  "|": [LOGIC, COMPARE, COMPARE, "∨"],
};

/** Functions that are written as something else than their name and brackets. */
const SHOWN: Readonly<Record<string, string>> = { maximum: "max", minimum: "min" };

/** An expression as MathML. */
export function spelled(of: Expression, lookup: Lookup): string {
  return new Speller(lookup).spell(of).text;
}

class Speller {
  constructor(private readonly lookup: Lookup) {}

  spell(of: Expression): Spelled {
    switch (of.kind) {
      case "number":
        return { text: spelledNumber(of.value), tightness: ATOM };
      case "name":
        return { text: spelledSymbol(this.lookup(of.text)), tightness: ATOM };
      case "unary":
        if (of.operator === "+") return this.spell(of.operand);
        if (of.operator === "~") return row(POWER, `<mo>¬</mo>${this.within(of.operand, ATOM)}`);
        return row(MINUS, `<mo form="prefix">−</mo>${this.within(of.operand, PRODUCT)}`);
      case "binary":
        return this.binary(of.operator, of.left, of.right);
      case "call":
        return this.call(of.name.text, of.operands);
    }
  }

  private binary(operator: string, left: Expression, right: Expression): Spelled {
    if (operator === "*") return this.product(left, right);
    if (operator === "/") return { text: this.fraction(left, right), tightness: PRODUCT };
    if (operator === "//") return row(ATOM, `<mo>⌊</mo>${this.fraction(left, right)}<mo>⌋</mo>`);
    if (operator === "**") return this.power(left, this.spell(right).text);
    const [tightness, first, second, sign] = INFIX[operator] ?? [SUM, SUM, SUM, operator];
    return row(tightness, `${this.within(left, first)}<mo>${sign}</mo>${this.within(right, second)}`);
  }

  private product(left: Expression, right: Expression): Spelled {
    if (left.kind === "name" && right.kind === "name" && left.text === right.text) {
      return this.power(left, "<mn>2</mn>");
    }
    const second = this.within(right, PRODUCT);
    const sign = /^(<mrow>|<msup>)*<mn>/.test(second) ? "<mo>⋅</mo>" : TIMES;
    return row(PRODUCT, `${this.within(left, PRODUCT)}${sign}${second}`);
  }

  private fraction(above: Expression, below: Expression): string {
    return `<mfrac>${this.spell(above).text}${this.spell(below).text}</mfrac>`;
  }

  /** The exponent stands above the index of a hyperparameter; m of t is put in brackets. */
  private power(base: Expression, exponent: string): Spelled {
    const symbol = base.kind === "name" ? this.lookup(base.text) : null;
    if (symbol !== null && symbol.index !== "" && !symbol.isOf) {
      const parts = `${symbol.letter}<mrow>${symbol.index}</mrow><mrow>${exponent}</mrow>`;
      return { text: `<msubsup>${parts}</msubsup>`, tightness: POWER };
    }
    const inside = symbol?.isOf ? brackets(spelledSymbol(symbol)) : this.within(base, ATOM);
    return { text: `<msup>${inside}<mrow>${exponent}</mrow></msup>`, tightness: POWER };
  }

  private call(name: string, operands: readonly Expression[]): Spelled {
    const [x, y, z] = operands.map((each) => this.spell(each).text);
    const first = operands[0] as Expression;
    switch (name) {
      case "sqrt":
        return { text: `<msqrt>${x}</msqrt>`, tightness: ATOM };
      case "cbrt":
        return { text: `<mroot>${row(ATOM, x ?? "").text}<mn>3</mn></mroot>`, tightness: ATOM };
      case "abs":
      case "absolute":
      case "fabs":
        return row(ATOM, `<mo form="prefix" stretchy="true">|</mo>${x}<mo form="postfix" stretchy="true">|</mo>`);
      case "power":
      case "float_power":
        return this.power(first, y ?? "");
      case "square":
        return this.power(first, "<mn>2</mn>");
      case "reciprocal":
        return { text: `<mfrac><mn>1</mn>${x}</mfrac>`, tightness: PRODUCT };
      case "positive":
        return this.spell(first);
      case "where":
        return row(ATOM, `<mo form="prefix" stretchy="true">{</mo><mtable displaystyle="true">${this.cases(operands)}</mtable>`);
      case "clip":
        return applied("min", [applied("max", [x ?? "", y ?? ""]).text, z ?? ""]);
      default:
        return applied(SHOWN[name] ?? name, [x, y, z].slice(0, operands.length) as string[]);
    }
  }

  /** The rows of a `where`; one within its last operand adds rows to them. */
  private cases(operands: readonly Expression[]): string {
    const [condition, yes, no] = operands as [Expression, Expression, Expression];
    const first = caseRow(this.spell(yes).text, this.spell(condition).text);
    if (no.kind === "call" && no.name.text === "where") return first + this.cases(no.operands);
    return first + caseRow(this.spell(no).text, "<mtext>otherwise</mtext>");
  }

  /** A part, in brackets if it is looser than it must be. */
  private within(of: Expression, need: number): string {
    const { text, tightness } = this.spell(of);
    return tightness > need ? brackets(text) : text;
  }
}

function row(tightness: number, text: string): Spelled {
  return { text: `<mrow>${text}</mrow>`, tightness };
}

function brackets(text: string): string {
  return `<mrow><mo>(</mo>${text}<mo>)</mo></mrow>`;
}

function applied(name: string, operands: string[]): Spelled {
  const inside = operands.join('<mo separator="true">,</mo>');
  return row(ATOM, `<mi>${name}</mi><mo>&#x2061;</mo>${brackets(inside)}`);
}

function caseRow(value: string, condition: string): string {
  const cell = (text: string): string => `<mtd style="text-align: left">${text}</mtd>`;
  return `<mtr>${cell(value)}${cell(condition)}</mtr>`;
}
