/** A small editor: a textarea, and behind it the same text in colour, with mistakes at their lines. */

import { type Mistake, shownMistake } from "../../language/mistakes";
import { element } from "../dom";
import { hyperparametersIn, tokens } from "./highlight";

export class Editor {
  readonly node: HTMLElement;
  readonly input: HTMLTextAreaElement;
  private back = element("div", { class: "editor-back", "aria-hidden": "true" });
  private list = element("ul", { class: "mistakes", id: "mistakes" });
  private mistakes: readonly Mistake[] = [];

  /** `changed` is told the text as it is typed. */
  constructor(changed: (text: string) => void) {
    this.input = element("textarea", {
      id: "card-code",
      class: "editor-text",
      "aria-label": "Code of the rule",
      "aria-describedby": "mistakes",
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
      wrap: "off",
    });
    this.input.addEventListener("input", () => {
      this.paint();
      changed(this.input.value);
    });
    this.input.addEventListener("scroll", () => {
      this.back.style.setProperty("--scrolled", `${-this.input.scrollLeft}px`);
    });
    const clip = element("div", { class: "editor-clip" }, this.back);
    this.node = element("div", {}, element("div", { class: "editor" }, clip, this.input), this.list);
  }

  get text(): string {
    return this.input.value;
  }

  /** Shows a text, unless it stands there already: the caret stays where it is. */
  show(text: string): void {
    if (this.input.value !== text) this.input.value = text;
    this.paint();
  }

  /** Shows these mistakes in place of those before. */
  complain(mistakes: readonly Mistake[]): void {
    this.mistakes = mistakes;
    if (mistakes.length > 0) this.input.setAttribute("aria-invalid", "true");
    else this.input.removeAttribute("aria-invalid");
    this.list.replaceChildren(...mistakes.map((mistake) => this.item(mistake)));
    this.paint();
  }

  private item(mistake: Mistake): HTMLElement {
    const go = element(
      "button",
      { type: "button", class: "mistake", "data-line": mistake.line },
      shownMistake(mistake),
    );
    go.addEventListener("click", () => {
      const before = this.text
        .split("\n")
        .slice(0, mistake.line - 1)
        .join("\n").length;
      const from = before + (mistake.line > 1 ? 1 : 0) + mistake.column - 1;
      this.input.focus();
      this.input.setSelectionRange(from, from + mistake.length);
    });
    return element("li", {}, go);
  }

  private paint(): void {
    const lines = this.text.split("\n");
    const known = hyperparametersIn(this.text);
    this.input.rows = lines.length;
    this.back.replaceChildren(
      ...lines.map((line, k) => {
        const here = this.mistakes.filter((mistake) => mistake.line === k + 1);
        const code = element("span", { class: "line-code" }, ...coloured(line, known, here));
        const row = element("div", { class: "line", "data-line": k + 1 }, code);
        const [first] = here;
        if (first !== undefined) {
          row.classList.add("mistaken");
          row.append(element("span", { class: "line-note" }, first.message));
        }
        return row;
      }),
    );
  }
}

/** The line's tokens; those that a mistake touches are underlined. */
function coloured(
  line: string,
  known: ReadonlySet<string>,
  mistakes: readonly Mistake[],
): (Node | string)[] {
  let column = 1;
  const nodes = tokens(line, known).map(({ kind, text }) => {
    const [from, to] = [column, column + text.length];
    column = to;
    const wrong = mistakes.some((m) => m.column < to && m.column + Math.max(m.length, 1) > from);
    if (kind === "plain" && !wrong) return text;
    return element("span", { class: `token-${kind}${wrong ? " wrong" : ""}` }, text);
  });
  return nodes.length > 0 ? nodes : ["\u200b"];
}
