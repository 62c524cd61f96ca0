/** A number that can be typed or slid: a label, an input and a slider that agree. */

import { element } from "../dom";
import { plain } from "../numbers";
import type { Scale } from "../scales";

export interface FieldOptions {
  id: string; // of the number input; the slider's is this and "-slider"
  title: string | Node;
  spoken?: string; // the title, where it is no text
  unit?: string;
  value: number;
  scale: Scale;
  least?: number | null;
  most?: number | null;
  below?: number | null; // the value stays under this
  whole?: boolean;
  change(value: number): void;
}

export class Field {
  readonly node: HTMLElement;
  private input: HTMLInputElement;
  private slider: HTMLInputElement;

  constructor(private options: FieldOptions) {
    const { id, title, value, unit = "", scale } = options;
    const spoken = options.spoken ?? (typeof title === "string" ? title : id);
    this.input = element("input", {
      id,
      type: "text",
      inputmode: "decimal",
      autocomplete: "off",
      spellcheck: "false",
    });
    this.slider = element("input", {
      id: `${id}-slider`,
      type: "range",
      min: 0,
      max: 1,
      step: 0.005,
      "aria-label": `${spoken}, slider`,
    });
    const name = element("label", { for: id }, title);
    if (typeof title !== "string") this.input.setAttribute("aria-label", spoken);
    const number = element("span", { class: "field-number" }, this.input);
    if (unit) number.append(element("span", { class: "unit" }, unit));
    this.node = element("div", { class: "field", "data-field": id }, name, this.slider, number);
    this.slider.addEventListener("input", () => this.take(scale.value(Number(this.slider.value))));
    this.input.addEventListener("change", () => this.typed());
    this.show(value);
  }

  /** Shows a value that was set elsewhere. */
  show(value: number): void {
    if (document.activeElement !== this.input || Number(this.input.value) !== value) {
      this.input.value = plain(value);
    }
    const position = this.options.scale.position(value);
    if (
      document.activeElement !== this.slider ||
      this.options.scale.value(Number(this.slider.value)) !== value
    ) {
      this.slider.value = String(position);
    }
    this.slider.style.setProperty("--fill", `${position * 100}%`);
    this.slider.setAttribute("aria-valuetext", `${plain(value)}${this.options.unit ?? ""}`);
    this.complain("");
  }

  private take(value: number): void {
    const taken = this.options.whole ? Math.round(value) : value;
    this.show(taken);
    this.input.value = plain(taken);
    this.options.change(taken);
  }

  private typed(): void {
    const value = Number(this.input.value.trim().replace(",", ".").replace("−", "-"));
    const { least = null, most = null, below = null } = this.options;
    if (this.input.value.trim() === "" || !Number.isFinite(value))
      this.complain("A number, please, such as 0.01.");
    else if (least !== null && value < least) this.complain(`At least ${plain(least)}.`);
    else if (most !== null && value > most) this.complain(`At most ${plain(most)}.`);
    else if (below !== null && value >= below) this.complain(`Below ${plain(below)}.`);
    else this.take(value);
  }

  private complain(text: string): void {
    this.input.setCustomValidity(text);
    this.input.toggleAttribute("aria-invalid", text !== "");
    if (text) this.input.setAttribute("aria-invalid", "true");
    if (text) this.input.reportValidity();
  }
}

/** Fills the part of a plain slider that lies left of its thumb. */
export function fill(slider: HTMLInputElement): void {
  const [low, high] = [Number(slider.min), Number(slider.max)];
  const share = high > low ? (Number(slider.value) - low) / (high - low) : 0;
  slider.style.setProperty("--fill", `${share * 100}%`);
}
