/** The page's entry, and its worker's. */

import { type HeatScope, isWorker, serveHeat } from "./heat_worker";
import type { Hooks } from "./view/hooks";
import { openPage } from "./view/page";

declare global {
  interface Window {
    explorer: Hooks;
  }
}

if (isWorker()) serveHeat(self as unknown as HeatScope);
else window.explorer = openPage();
