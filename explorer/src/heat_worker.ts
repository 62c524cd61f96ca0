/** The heat map's worker: what it is told, and what it says.
 *
 *  It is made of the page's own script, from a Blob: a page opened as a file can load nothing else.
 *  So that script begins with `if (isWorker()) serveHeat(self as unknown as HeatScope)`.
 */

import { ruleOf, surfaceOf } from "./emitted";
import { type Axis, heatRow, type HeatRequest } from "./heat";
import { compile } from "./language/compile";
import { shownMistake } from "./language/mistakes";
import type { Rule, RuleData, SurfaceData } from "./types";

/** A rule as it can be sent: emitted, or a card. */
export type SentRule = { data: RuleData } | { card: string; initial: Record<string, number | string> };

export interface DrawOrder {
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

/** What the worker is told. A new draw cancels the one before. */
export type HeatOrder = DrawOrder | { kind: "cancel"; id: number };

/** What the worker says: rows as they are done, then that all are; nothing more of a cancelled one. */
export type HeatReport =
  | { kind: "row"; id: number; row: number; losses: Float64Array }
  | { kind: "done"; id: number; milliseconds: number }
  | { kind: "failed"; id: number; message: string };

/** The part of a worker's global scope that is used. */
export interface HeatScope {
  onmessage: ((event: { data: HeatOrder }) => void) | null;
  postMessage(report: HeatReport): void;
}

const ATTENTION = 30; // milliseconds of rows, then orders are looked at

/** Whether this script runs in a worker. */
export function isWorker(): boolean {
  return typeof document === "undefined" && "WorkerGlobalScope" in globalThis;
}

/** Answers orders until the worker is ended. */
export function serveHeat(scope: HeatScope): void {
  let current = -1; // the draw that is wanted
  scope.onmessage = ({ data: order }) => {
    if (order.kind === "draw") {
      current = order.id;
      void draw(order);
    } else if (order.id === current) {
      current = -1;
    }
  };

  async function draw(order: DrawOrder): Promise<void> {
    const { id } = order;
    try {
      const request = requestOf(order);
      const began = performance.now();
      let looked = began;
      for (const row of rowsInterleaved(request.down.values.length)) {
        if (performance.now() - looked > ATTENTION) {
          await aTurn();
          looked = performance.now();
        }
        if (id !== current) return;
        scope.postMessage({ kind: "row", id, row, losses: heatRow(request, row) });
      }
      scope.postMessage({ kind: "done", id, milliseconds: performance.now() - began });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      scope.postMessage({ kind: "failed", id, message });
    }
  }
}

/** Lets messages that have arrived be handled. */
function aTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** 0 to count - 1, every fourth first, so that the whole map is seen early. */
function rowsInterleaved(count: number): number[] {
  const rows = Array.from({ length: count }, (_, k) => k);
  return [2, 0, 3, 1].flatMap((offset) => rows.filter((row) => row % 4 === offset));
}

function requestOf(order: DrawOrder): HeatRequest {
  const { hyperparameters, uncorrected, start, noise, seed, steps, across, down } = order;
  return {
    racer: { rule: sentRule(order.rule), hyperparameters, uncorrected },
    ground: { surface: surfaceOf(order.surface, order.parameters), start, noise, seed },
    steps,
    across,
    down,
  };
}

function sentRule(sent: SentRule): Rule {
  if ("data" in sent) return ruleOf(sent.data);
  const compiled = compile(sent.card, { initial: sent.initial });
  if ("rule" in compiled) return compiled.rule;
  throw new Error(compiled.mistakes.map(shownMistake).join("\n"));
}
