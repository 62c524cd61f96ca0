/** The page as a whole: its parts, in the order in which they draw. */

import { stateOf } from "../address";
import type { PageData } from "../types";
import { addressBar } from "./address_bar";
import { racers } from "./controls/racers";
import { ruleSettings } from "./controls/rule_settings";
import { surfaceControls } from "./controls/surface_controls";
import { tabs } from "./controls/tabs";
import { transport } from "./controls/transport";
import { find, write } from "./dom";
import { Explorer } from "./explorer";
import { flashCard } from "./flash_card";
import { type Hooks, hooks } from "./hooks";
import { keyboard } from "./keyboard";
import { SurfaceMap } from "./map/map";
import { cardPanel } from "./panels/card_panel";
import { chartsPanel } from "./panels/charts_panel";
import { heatPanel } from "./panels/heat_panel";
import { insidePanel } from "./panels/inside_panel";
import { sumPanel } from "./panels/sum_panel";
import { announce } from "./status";
import { suitAll } from "./tuning";
import { theme } from "./theme";

/** Sets up the page; what it answers is for tests. */
export function openPage(): Hooks {
  const data = JSON.parse(find("data").textContent ?? "") as PageData;
  const { state, notes } = stateOf(location.hash.slice(1), data);
  const explorer = new Explorer(data, state);
  if (location.hash.length < 2) suitAll(explorer);
  // The theme first: who draws reads its colours.
  theme(explorer);
  tabs(explorer);
  surfaceControls(explorer);
  racers(explorer);
  ruleSettings(explorer);
  transport(explorer);
  new SurfaceMap(explorer);
  cardPanel(explorer);
  insidePanel(explorer);
  sumPanel(explorer);
  chartsPanel(explorer);
  heatPanel(explorer);
  keyboard(explorer);
  flashCard(explorer);
  addressBar(explorer);
  write(find("version"), data.version);
  find("license-details").addEventListener("toggle", () => {
    write(find("license-text"), find("licenses").textContent ?? "");
  });
  if (notes.length > 0) announce(notes.join(" "));
  return hooks(explorer);
}
