/** A card as text, to a rule that runs. */

import type { Rule } from "../types";
import { Checker } from "./checker";
import { functionsOf } from "./functions_of";
import { inOrder, type Node } from "./graph";
import type { Mistake } from "./mistakes";
import { nearest } from "./nearest";
import { parse } from "./parser";
import type { RuleSyntax } from "./syntax";

/** The rule and its syntax tree (for `mathML`), or every mistake that was found, in order. */
export type Compiled = { rule: Rule; syntax: RuleSyntax } | { mistakes: Mistake[] };

/** What a card leaves to the rule that it was edited from; RuleData has both. */
export interface Base {
  initial?: Readonly<Record<string, number | string>>;
  ranges?: Readonly<Record<string, readonly [number | null, number | null]>>;
}

/** Compiles a card. Where state starts that neither it nor `base` says anything of, it is 0. */
export function compile(text: string, base: Base = {}): Compiled {
  const mistakes: Mistake[] = [];
  const syntax = parse(text, mistakes);
  const rule = syntax === null ? null : checked(syntax, base, mistakes);
  if (mistakes.length === 0 && rule !== null && syntax !== null) return { rule, syntax };
  return { mistakes: mistakes.sort((a, b) => a.line - b.line || a.column - b.column) };
}

function checked(syntax: RuleSyntax, base: Base, mistakes: Mistake[]): Rule | null {
  const checker = new Checker(mistakes, syntax.assignments);
  const positional = syntax.positional.map(({ name }) => name.text);
  const scalars = syntax.positional.filter((each) => each.isScalar).map(({ name }) => name.text);
  const tensors = positional.filter((name) => name !== "t" && !scalars.includes(name));
  const hyperparameters = Object.fromEntries(
    syntax.hyperparameters.map(({ name, value }) => [name.text, value]),
  );
  const takesT = positional.includes("t");
  const perStep = [...scalars, ...Object.keys(hyperparameters), ...(takesT ? ["t"] : [])];
  for (const name of tensors) checker.values.set(name, checker.graph.argument(name, "element"));
  for (const name of perStep) checker.values.set(name, checker.graph.argument(name, "step"));
  const named = assign(syntax, checker);
  const returned = results(syntax, checker, scalars);
  const initial = starts(syntax, base, [...tensors.slice(2), ...scalars], mistakes);
  checkRanges(syntax, base, mistakes);
  if (mistakes.length > 0 || returned === null) return null;
  const newScalars = scalars.map((name) => returned.get(name) as Node);
  const outputs = tensors.filter((_, k) => k !== 1).map((name) => returned.get(name) as Node);
  const [weights = "w", gradient = "dw", ...state] = tensors;
  return {
    name: syntax.name.text,
    tensors,
    state,
    scalars,
    names: [...named.keys()],
    hyperparameters,
    initial,
    correctsBias: correctsBias([...outputs, ...newScalars], Object.keys(hyperparameters)),
    ...functionsOf({
      weights,
      gradient,
      state,
      scalars,
      hyperparameters: Object.keys(hyperparameters),
      outputs,
      newScalars,
      named: [...named.values()],
    }),
  };
}

/** Works through the assignments; gives what differs between weights and has a name, at last. */
function assign(syntax: RuleSyntax, checker: Checker): Map<string, Node> {
  const named = new Map<string, Node>();
  for (const { target, value } of syntax.assignments) {
    const node = checker.node(value);
    checker.values.set(target.text, node);
    named.delete(target.text); // so that it stands where it was last given
    if (node?.op != null && node.kind === "number" && node.rate === "element") {
      named.set(target.text, node);
    }
  }
  return named;
}

/** The new value of w and of each state, by name; null where something is wrong. */
function results(
  syntax: RuleSyntax,
  checker: Checker,
  scalars: readonly string[],
): Map<string, Node> | null {
  const positional = syntax.positional.map(({ name }) => name.text);
  const wanted = positional.filter((name, k) => k !== 1 && name !== "t");
  const { returned, returnPlace } = syntax;
  if (returned === null) return null;
  if (returned.length !== wanted.length) {
    const values = returned.length === 1 ? "1 value" : `${returned.length} values`;
    const message = `${syntax.name.text} returns ${values}; it has to return ${wanted.join(", ")}: the new weights, then every state in the order of the signature.`;
    checker.say(returnPlace, message);
  }
  const found = new Map<string, Node>();
  for (const [k, expression] of returned.entries()) {
    const name = wanted[k];
    const node = checker.node(expression);
    if (node === null || name === undefined) continue;
    if (node.kind === "truth") {
      checker.say(expression.place, `${name} has to be a number, and this is true or false.`);
    } else if (k === 0 && node.op === null && node.name === positional[1]) {
      const message = `the gradient is returned as the new ${name}; write ${name} = ${name} - learning_rate * ${node.name}, and return ${name}.`;
      checker.say(expression.place, message);
    } else if (scalars.includes(name) && node.rate === "element") {
      const message = `${name} is one number for all weights, but this differs from weight to weight; make it of hyperparameters, t and scalar state, or do not call it Scalar.`;
      checker.say(expression.place, message);
    } else {
      found.set(name, node);
    }
  }
  return found.size === wanted.length ? found : null;
}

/** Where state starts: as @rule says, or else as with the rule that the card was edited from. */
function starts(
  syntax: RuleSyntax,
  base: Base,
  states: readonly string[],
  mistakes: Mistake[],
): Record<string, number | string> {
  const numbers = syntax.hyperparameters.map(({ name }) => name.text);
  const { place } = syntax.name;
  for (const [name, start] of Object.entries(syntax.initial)) {
    if (!states.includes(name)) {
      const message = `initial= names ${name}, which is no state${nearest(name, states)}`;
      mistakes.push({ ...place, message });
    } else if (typeof start === "string" && !numbers.includes(start)) {
      const message = `initial= lets ${name} start at ${start}, which is no hyperparameter${nearest(start, numbers)}`;
      mistakes.push({ ...place, message });
    }
  }
  const kept = Object.entries(base.initial ?? {}).filter(
    ([name, start]) => states.includes(name) && (typeof start === "number" || numbers.includes(start)),
  );
  return { ...Object.fromEntries(kept), ...syntax.initial };
}

function checkRanges(syntax: RuleSyntax, { ranges = {} }: Base, mistakes: Mistake[]): void {
  for (const { name, value } of syntax.hyperparameters) {
    if (!Object.hasOwn(ranges, name.text)) continue;
    const [low, below] = ranges[name.text] ?? [null, null];
    if ((low === null || value >= low) && (below === null || value < below)) continue;
    const bounds = [low === null ? "" : `at least ${low}`, below === null ? "" : `below ${below}`];
    const message = `${name.text} is ${value}; it must be ${bounds.filter(Boolean).join(" and ")}.`;
    mistakes.push({ ...name.place, message });
  }
}

/** Whether t stands only as an exponent of a hyperparameter: beta1**t. */
function correctsBias(roots: Node[], hyperparameters: readonly string[]): boolean {
  const isT = (node: Node | undefined): boolean => node?.op === null && node.name === "t";
  const users = inOrder(roots).filter((node) => node.operands.some(isT));
  const corrects = users.every(
    ({ op, operands: [base] }) =>
      op?.name === "**" && base?.op === null && hyperparameters.includes(base.name),
  );
  return users.length > 0 && corrects && !roots.some(isT);
}
