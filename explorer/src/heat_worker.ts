/** The heat map's worker: what it is told, and what it says.
 *
 *  It is made of the page's own script, from a Blob: a page opened as a file can load nothing else.
 *  So the script starts with `if (isWorker()) serveHeat(self as HeatScope)`.
 */

import type { Axis } from "./heat";
import type { RuleData, SurfaceData } from "./types";

/** A rule as it can be sent: emitted, or a card. */
export type SentRule = { data: RuleData } | { card: string; initial: Record<string, number | string> };

/** What the worker is told. */
export type HeatOrder =
  | {
      kind: "draw";
      id: number;
      rule: SentRule;
      hyperparameters: Record<string, number>;
      uncorrected: boolean;
      surface: SurfaceData;
      parameters: Record<string, number>;
      start: [number, number];
      noise: number;
      seed: number;
      steps: number;
      across: Axis;
      down: Axis;
    }
  | { kind: "cancel"; id: number };

/** What the worker says: rows as they are done, then that all are. A new draw cancels the one before. */
export type HeatReport =
  | { kind: "row"; id: number; row: number; losses: Float64Array }
  | { kind: "done"; id: number; milliseconds: number }
  | { kind: "failed"; id: number; message: string };

/** The part of a worker's global scope that is used. */
export interface HeatScope {
  onmessage: ((event: { data: HeatOrder }) => void) | null;
  postMessage(report: HeatReport): void;
}

/** Whether this script runs in a worker. */
export function isWorker(): boolean {
  return typeof document === "undefined" && typeof postMessage === "function";
}

/** Answers orders until the worker is ended. */
export function serveHeat(scope: HeatScope): void {
  throw new Error(`not written yet: ${scope.onmessage === null}`);
}
