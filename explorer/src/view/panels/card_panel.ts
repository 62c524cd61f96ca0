/** The card: its formulas, and its code, which can be edited where it stands. */

import { compile } from "../../language/compile";
import { mathML } from "../../language/mathml";
import type { Mistake } from "../../language/mistakes";
import { element, find, parsed, write } from "../dom";
import type { Explorer } from "../explorer";
import { say } from "../status";
import { Editor } from "./editor";

/** So long nothing must be typed before the card is read. */
const PAUSE = 150;

export function cardPanel(explorer: Explorer): void {
  const formulas = element("div", { id: "formulas", class: "formulas" });
  const source = element("p", { class: "source" });
  const restore = element(
    "button",
    { type: "button", class: "quiet", id: "restore-card" },
    "Back to the library’s card",
  );
  const verdict = element("span", { id: "card-verdict", class: "verdict" });
  let timer = 0;
  let held = ""; // whose text stands in the editor; it may have mistakes that the racer has not
  const editor = new Editor(() => {
    clearTimeout(timer);
    timer = window.setTimeout(take, PAUSE);
  });
  // Who goes on to another rule within the pause has typed for this one.
  editor.input.addEventListener("blur", () => {
    if (timer !== 0) take();
  });
  find("panel-card").append(
    formulas,
    element("div", { class: "editor-head" }, element("h3", {}, "Code"), verdict, restore),
    editor.node,
    source,
  );
  restore.addEventListener("click", () => {
    editor.show(explorer.ruleData(explorer.shown.rule).card);
    take();
    editor.input.focus();
  });

  function take(): void {
    clearTimeout(timer);
    timer = 0;
    const { shown } = explorer;
    const data = explorer.ruleData(shown.rule);
    const compiled = compile(editor.text, data);
    if ("mistakes" in compiled) return mistaken(compiled.mistakes, "The race keeps the card as it was.");
    editor.complain([]);
    const card = editor.text === data.card ? null : editor.text;
    if (card === shown.card) return refresh();
    held = key(card);
    explorer.setRacer(explorer.state.shown, {
      ...shown,
      hyperparameters: known(compiled.rule.hyperparameters),
      card,
    });
    refresh();
    say(card === null ? "The library’s card is back." : "The edited card races.");
  }

  function mistaken(mistakes: readonly Mistake[], meanwhile: string): void {
    editor.complain(mistakes);
    verdict.dataset.state = "mistaken";
    write(verdict, meanwhile);
    restore.hidden = false;
    const [first] = mistakes;
    if (first) say(`Line ${first.line}: ${first.message}`);
  }

  /** The values that were set by hand, as far as the card still has their names. */
  function known(own: Record<string, number>): Record<string, number> {
    const kept = Object.entries(explorer.shown.hyperparameters).filter(
      ([name, value]) => name in own && value !== own[name],
    );
    return Object.fromEntries(kept);
  }

  function key(card: string | null): string {
    return [explorer.state.shown, explorer.shown.rule, card ?? ""].join("\n");
  }

  function refresh(): void {
    const { shown } = explorer;
    const data = explorer.ruleData(shown.rule);
    const text = shown.card ?? data.card;
    const compiled = compile(text, data);
    formulas.replaceChildren("syntax" in compiled ? parsed(mathML(compiled.syntax)) : "");
    write(source, data.source ? `Source: ${data.source}` : "");
    editor.show(text);
    // A card in an address may have mistakes.
    if ("mistakes" in compiled) return mistaken(compiled.mistakes, "The library’s card races instead.");
    restore.hidden = shown.card === null;
    verdict.dataset.state = shown.card === null ? "" : "edited";
    write(verdict, shown.card === null ? "Edit it: the race follows." : "Edited, and racing.");
    editor.complain([]);
  }

  explorer.on(["racers", "shown"], () => {
    const now = key(explorer.shown.card);
    if (now === held) return;
    held = now;
    refresh();
  });
}
