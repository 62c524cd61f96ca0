/** The worker behind the heat map: made once, from the page's own script, when it is first needed. */

import type { HeatOrder, HeatReport } from "../../heat_worker";
import { find } from "../dom";

type Draw = Omit<HeatOrder & { kind: "draw" }, "id" | "kind">;

export class HeatWork {
  private worker: Worker | null = null;
  private id = 0;
  private ordered = "";

  constructor(private told: (report: HeatReport) => void) {}

  /** Has this drawn; false where it is what was ordered last. */
  draw(order: Draw): boolean {
    const key = JSON.stringify(order);
    if (key === this.ordered) return false;
    this.ordered = key;
    this.id += 1;
    this.worker ??= this.hired();
    this.post({ kind: "draw", id: this.id, ...order });
    return true;
  }

  /** Whatever is being drawn is no longer wanted. */
  cancel(): void {
    if (this.ordered === "") return;
    this.ordered = "";
    this.post({ kind: "cancel", id: this.id });
  }

  private post(order: HeatOrder): void {
    this.worker?.postMessage(order);
  }

  private hired(): Worker {
    const address = URL.createObjectURL(
      new Blob([find("script").textContent ?? ""], { type: "text/javascript" }),
    );
    const worker = new Worker(address);
    worker.addEventListener("message", ({ data }: MessageEvent<HeatReport>) => {
      if (data.id === this.id) this.told(data);
    });
    return worker;
  }
}
