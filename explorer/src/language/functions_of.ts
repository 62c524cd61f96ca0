/** The nodes of a card, to the JavaScript functions of a rule. */

import type { Rule } from "../types";
import { inOrder, type Node } from "./graph";
import { ON } from "./operations";

/** What a card's nodes are for. */
export interface Results {
  weights: string;
  gradient: string;
  state: string[];
  scalars: string[];
  hyperparameters: string[];
  outputs: Node[]; // of w, then of each state
  newScalars: Node[];
  named: Node[];
}

/** `host`, `element` and `named` of a rule: text that is compiled once, so that a step is fast. */
export function functionsOf(results: Results): Pick<Rule, "host" | "element" | "named"> {
  const { outputs, newScalars, named } = results;
  const crossing = numbersFor([...outputs, ...named]);
  const host = hostText(results, [...newScalars, ...crossing]);
  const numbers = crossing.map(shown).join(", ");
  const scalars = newScalars.map(shown).join(", ");
  const text = [
    "return {",
    `  host(hyperparameters, scalars, t) {\n${host}\n    return { numbers: [${numbers}], scalars: [${scalars}] };\n  },`,
    `  element(w, dw, state, numbers) {\n${elementText(results, outputs, crossing)}\n  },`,
    `  named(w, dw, state, numbers) {\n${elementText(results, named, crossing)}\n  },`,
    "};",
  ].join("\n");
  return new Function("on", `"use strict";\n${text}`)(ON) as Pick<Rule, "host" | "element" | "named">;
}

/** The values that host makes and elements need: those of rate "step" that meet an element. */
function numbersFor(roots: Node[]): Node[] {
  const nodes = inOrder(roots);
  const met = new Set(roots);
  for (const node of nodes) {
    if (node.rate === "element") for (const operand of node.operands) met.add(operand);
  }
  return nodes.filter((node) => met.has(node) && node.rate === "step" && node.value === null);
}

function hostText({ hyperparameters, scalars }: Results, roots: Node[]): string {
  return inOrder(roots)
    .filter((node) => node.value === null && node.name !== "t")
    .map((node) => {
      if (node.op !== null) return line(node);
      const place = scalars.indexOf(node.name);
      if (place >= 0) return `    const ${shown(node)} = scalars[${place}];`;
      if (!hyperparameters.includes(node.name)) throw new Error(`${node.name} is no input of host`);
      return `    const ${shown(node)} = hyperparameters[${JSON.stringify(node.name)}];`;
    })
    .join("\n");
}

function elementText({ weights, gradient, state }: Results, roots: Node[], crossing: Node[]): string {
  const needed = inOrder(roots).filter((node) => node.rate === "element" || crossing.includes(node));
  const lines = needed.map((node) => {
    const place = crossing.indexOf(node);
    if (place >= 0) return `    const ${shown(node)} = numbers[${place}];`;
    if (node.op !== null) return line(node);
    if (node.name === weights) return `    const ${shown(node)} = w;`;
    if (node.name === gradient) return `    const ${shown(node)} = dw;`;
    return `    const ${shown(node)} = state[${state.indexOf(node.name)}];`;
  });
  return [...lines, `    return [${roots.map(shown).join(", ")}];`].join("\n");
}

function line(node: Node): string {
  const text = node.op?.text.replace(/\{(\d)\}/g, (_, k: string) => shown(node.operands[Number(k)] as Node));
  return `    const ${shown(node)} = ${text};`;
}

/** A node within the text: a name that no card can clash with, or a number in brackets. */
function shown(node: Node): string {
  if (node.value !== null) return Object.is(node.value, -0) ? "(-0)" : `(${node.value})`;
  return node.op === null && node.name === "t" ? "t" : `v${node.number}`;
}
