/** What every expression of a card is: names that are known, operands that fit. */

import { own } from "./expressions";
import { CONSTANTS, FUNCTIONS, insteadOf, LISTED } from "./functions";
import { Graph, type Node } from "./graph";
import type { Mistake } from "./mistakes";
import { nearest } from "./nearest";
import { type Kind, operationOf } from "./operations";
import type { Assignment, Expression, Place } from "./syntax";

/** Turns expressions into nodes. A value that is mistaken is null: what is made of it is, too, and
 *  nothing more is said of it.
 */
export class Checker {
  readonly graph = new Graph();
  /** What each name stands for now. */
  readonly values = new Map<string, Node | null>();

  constructor(
    readonly mistakes: Mistake[],
    private readonly assignments: readonly Assignment[],
  ) {}

  say(place: Place, message: string): null {
    this.mistakes.push({ ...place, message });
    return null;
  }

  /** The node of an expression; null where it is mistaken. */
  node(of: Expression | null): Node | null {
    if (of === null) return null;
    if (of.kind === "number") return this.graph.constant(of.value);
    if (of.kind === "name") return this.named(of.text, of.place);
    if (of.kind === "call") return this.call(of);
    if (of.kind === "unary") {
      if (of.operator === "+") return this.fits(of.operand, this.node(of.operand), "number", "+");
      const name = of.operator === "-" ? "negative" : "~";
      return this.applied(name, of.operator, of.place, [of.operand]);
    }
    return this.applied(of.operator, of.operator, of.place, [of.left, of.right]);
  }

  private named(name: string, place: Place): Node | null {
    const known = this.values.get(name);
    if (known !== undefined) return known;
    const constant = own(CONSTANTS, name);
    if (constant !== undefined) return this.graph.constant(constant);
    const later = this.assignments.find(({ target }) => target.text === name);
    if (later !== undefined) {
      const { line } = later.target.place;
      const when = line === place.line ? "in this very line" : `only in line ${line}`;
      return this.say(place, `${name} is read here, and gets its value ${when}.`);
    }
    if (own(FUNCTIONS, name) !== undefined) {
      return this.say(place, `${name} is a function; call it: ${usage(name)}.`);
    }
    return this.say(place, `${name} is not known here${nearest(name, this.values.keys())}`);
  }

  private applied(
    name: string,
    shown: string,
    place: Place,
    operands: readonly Expression[],
  ): Node | null {
    const op = operationOf(name);
    const nodes = operands.map((each, k) =>
      this.fits(each, this.node(each), op.takes[k] ?? "number", shown),
    );
    if (!nodes.every((each) => each !== null)) return null;
    if (op.perStep && nodes.some((each) => each.rate === "element")) {
      const message = `${shown} is for numbers that change once a step, such as t; not for weights or state.`;
      return this.say(place, message);
    }
    if (name === "~" && nodes[0]?.rate === "step") {
      const message = "~ is for conditions on weights; of t, write the opposite: t != 1 for ~(t == 1).";
      return this.say(place, message);
    }
    return this.graph.apply(name, ...nodes);
  }

  private call({ name, operands }: Expression & { kind: "call" }): Node | null {
    const found = own(FUNCTIONS, name.text);
    const nodes = operands.map((each) => this.node(each));
    if (found === undefined) return this.unknownFunction(name.text, name.place);
    if (operands.length !== found.operands.length) {
      const need = found.operands.length;
      const message = `${name.text} takes ${need} operand${need === 1 ? "" : "s"}, ${usage(name.text)}; it has ${operands.length} here.`;
      return this.say(name.place, message);
    }
    const fitting = nodes.map((node, k) =>
      this.fits(operands[k] as Expression, node, found.takes[k] ?? "number", name.text),
    );
    if (!fitting.every((each) => each !== null)) return null;
    return found.make(this.graph, ...fitting);
  }

  private unknownFunction(name: string, place: Place): null {
    if (this.values.has(name)) {
      return this.say(place, `${name} is a value, not a function; write ${name} * (...).`);
    }
    const instead = insteadOf(name);
    if (instead !== undefined) return this.say(place, `${name} is not for this page: ${instead}`);
    const near = nearest(name, Object.keys(FUNCTIONS));
    const list = near === "." ? `. There are ${LISTED.join(", ")}.` : near;
    return this.say(place, `there is no function ${name}${list}`);
  }

  /** The node if it is of this kind. */
  private fits(of: Expression, node: Node | null, kind: Kind, taker: string): Node | null {
    if (node === null || node.kind === kind) return node;
    if (kind === "number") {
      const message = `${taker} needs a number, and this is true or false; where(condition, 1.0, 0.0) is a number.`;
      return this.say(of.place, message);
    }
    const message =
      taker === "&" || taker === "|"
        ? `${taker} needs conditions; put parentheses around each comparison: (x > 0) ${taker} (y > 0).`
        : `${taker} needs a condition here, such as x > 0, and this is a number.`;
    return this.say(of.place, message);
  }
}

/** A call as an example: where(condition, if_true, if_false). */
function usage(name: string): string {
  return `${name}(${own(FUNCTIONS, name)?.operands.join(", ") ?? ""})`;
}
