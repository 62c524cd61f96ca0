/** What a card computes: a graph in which equal work is one node. */

import { folded, type Kind, type Operation, operationOf } from "./operations";

/** One value.
 *
 *  rate   "step" is one number a step, made of hyperparameters, scalar state and t alone; "element"
 *         differs from weight to weight
 */
export interface Node {
  op: Operation | null; // null for an argument or a constant
  operands: readonly Node[];
  name: string; // of an argument
  value: number | boolean | null; // of a constant
  rate: "step" | "element";
  kind: Kind;
  number: number; // each after its operands
}

export class Graph {
  private readonly nodes = new Map<string, Node>();

  argument(name: string, rate: Node["rate"]): Node {
    const leaf = { op: null, operands: [], name, value: null, rate, kind: "number" } as const;
    return this.kept(`argument ${name}`, leaf);
  }

  constant(value: number | boolean): Node {
    const kind = typeof value === "boolean" ? "truth" : "number";
    const key = Object.is(value, -0) ? "-0" : String(value);
    return this.kept(`constant ${key}`, { op: null, operands: [], name: "", value, rate: "step", kind });
  }

  /** The node of an operation; done at once where all operands are constants. */
  apply(name: string, ...operands: Node[]): Node {
    const op = operationOf(name);
    const values = operands.map((each) => each.value);
    if (values.every((value) => value !== null)) return this.constant(folded(op, values));
    const short = name === "**" ? this.knownPower(...(operands as [Node, Node])) : null;
    if (short !== null) return short;
    const rate = operands.some((each) => each.rate === "element") ? "element" : "step";
    const key = `${name} ${operands.map((each) => each.number).join(" ")}`;
    return this.kept(key, { op, operands, name: "", value: null, rate, kind: op.gives });
  }

  /** NumPy's own short cuts for a tensor to a known power, which are exact. */
  private knownPower(base: Node, { value }: Node): Node | null {
    if (base.rate !== "element") return null;
    if (value === 2) return this.apply("*", base, base);
    if (value === 1) return base;
    if (value === 0.5) return this.apply("sqrt", base);
    if (value === -1) return this.apply("/", this.constant(1), base);
    return value === 0 ? this.constant(1) : null;
  }

  private kept(key: string, node: Omit<Node, "number">): Node {
    const known = this.nodes.get(key);
    if (known !== undefined) return known;
    const added = { ...node, number: this.nodes.size };
    this.nodes.set(key, added);
    return added;
  }
}

/** Every node that these need, each after its operands. */
export function inOrder(roots: Iterable<Node>): Node[] {
  const found = new Set<Node>();
  const open = [...roots];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    open.push(...node.operands);
  }
  return [...found].sort((a, b) => a.number - b.number);
}
