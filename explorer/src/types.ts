/** What Python hands to the page: the rules and surfaces, each written once, there. */

/** A rule as Python emitted it. `code` is JavaScript that defines three functions:
 *  host(...inputs)                      -> {numbers: number[], scalars: number[]}   once a step
 *  element(...tensors, ...numbers)      -> number[]   the new value of each of `outputs`, in order
 *  named(...tensors, ...numbers)        -> number[]   the value of each of `names`, in order
 */
export interface RuleData {
  name: string;
  summary: string;
  source: string; // the paper
  family: string; // the file of ruleonce.rules that it stands in
  card: string; // the function in the page's own language, from `def` to `return`
  inputs: string[]; // of host: hyperparameters, scalar state, "t"
  tensors: string[]; // "w", "dw", then the state
  outputs: string[]; // "w", then the state
  scalars: string[]; // scalar state, in the order that host returns it
  names: string[]; // what the author named, in order: m, mt, v, vt, w
  hyperparameters: Record<string, number>; // name -> default; switches left out
  ranges: Record<string, [number | null, number | null]>; // at least, below
  initial: Record<string, number | string>; // state or scalar -> a number, or a hyperparameter
  correctsBias: boolean; // whether t stands only as an exponent of a hyperparameter: t = Infinity switches the correction off
  code: string;
}

/** A surface of two weights. `code` defines height(x, y, ...parameters) -> number and slope(same) -> [number, number]. */
export interface SurfaceData {
  name: string; // an identifier
  title: string;
  about: string; // one sentence for the reader
  source: string;
  parameters: { name: string; title: string; value: number; low: number; high: number; logarithmic: boolean; unit: string }[];
  window: [number, number, number, number]; // x from, x to, y from, y to
  start: [number, number];
  lowest: [number, number][];
  noise: number; // standard deviation of the gradient's noise that it suggests
  code: string;
}

export interface PageData {
  version: string;
  rules: RuleData[];
  surfaces: SurfaceData[];
  first?: string[]; // the names of the rules that race at first
}

/** A rule that can run, whether Python emitted it or the page compiled it from an edited card. */
export interface Rule {
  name: string;
  tensors: string[];
  state: string[];
  scalars: string[];
  names: string[];
  hyperparameters: Record<string, number>;
  initial: Record<string, number | string>;
  correctsBias: boolean;
  host(hyperparameters: Record<string, number>, scalars: readonly number[], t: number): Host;
  /** New values of w and of each state. */
  element(w: number, dw: number, state: readonly number[], numbers: readonly number[]): number[];
  /** The value of each of `names`. */
  named(w: number, dw: number, state: readonly number[], numbers: readonly number[]): number[];
}

export interface Host {
  numbers: number[];
  scalars: number[];
}
