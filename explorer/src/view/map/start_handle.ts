/** The handle at the start of all paths: it follows the pointer and the arrow keys. */

import { find } from "../dom";
import type { Explorer } from "../explorer";
import { shown } from "../numbers";
import type { View } from "./view";

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

export class StartHandle {
  private handle = find("start");
  private grip: [number, number] | null = null;

  constructor(
    private explorer: Explorer,
    private view: () => View,
  ) {
    const map = find("map");
    map.addEventListener("pointerdown", (event) => this.take(event, map));
    map.addEventListener("pointermove", (event) => this.drag(event, map));
    for (const end of ["pointerup", "pointercancel"]) map.addEventListener(end, () => this.drop());
    this.handle.addEventListener("keydown", (event) => this.key(event));
  }

  /** Puts the handle where the state says that the start is. */
  place(): void {
    const [x, y] = this.explorer.state.start;
    const view = this.view();
    const across = Math.min(Math.max(view.across(x), 0), view.width);
    const down = Math.min(Math.max(view.down(y), 0), view.height);
    this.handle.style.transform = `translate(${across}px, ${down}px)`;
    const [left, right] = this.explorer.surface.data.window;
    if (this.explorer.race.t > 0) this.handle.classList.add("known");
    this.handle.setAttribute("aria-valuemin", String(left));
    this.handle.setAttribute("aria-valuemax", String(right));
    this.handle.setAttribute("aria-valuenow", String(x));
    this.handle.setAttribute("aria-valuetext", `x ${shown(x, 4)}, y ${shown(y, 4)}`);
  }

  private take(event: PointerEvent, map: HTMLElement): void {
    if (event.button !== 0) return;
    const [across, down] = within(event, map);
    const [x, y] = this.explorer.state.start;
    const apart = [across - this.view().across(x), down - this.view().down(y)] as const;
    // A finger may scroll the page over the map; only on the handle does it drag.
    if (Math.hypot(...apart) > 26) return;
    event.preventDefault();
    map.setPointerCapture(event.pointerId);
    this.handle.focus({ preventScroll: true });
    this.handle.classList.add("held");
    this.grip = [apart[0], apart[1]];
  }

  private drag(event: PointerEvent, map: HTMLElement): void {
    if (this.grip === null) return;
    const [across, down] = within(event, map);
    this.go(this.view().x(across - this.grip[0]), this.view().y(down - this.grip[1]));
  }

  private drop(): void {
    this.grip = null;
    this.handle.classList.remove("held");
  }

  private key(event: KeyboardEvent): void {
    const arrow = ARROWS[event.key];
    if (arrow === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const [left, right] = this.explorer.surface.data.window;
    const reach = ((right - left) / 200) * (event.shiftKey ? 10 : 1);
    const [x, y] = this.explorer.state.start;
    this.go(x + arrow[0] * reach, y + arrow[1] * reach);
  }

  private go(x: number, y: number): void {
    this.handle.classList.add("known");
    const view = this.view();
    const digits = Math.max(0, Math.ceil(Math.log10(view.scale)));
    const kept = (value: number, from: number, to: number) =>
      Number(Math.min(Math.max(value, from), to).toFixed(digits));
    this.explorer.setGround({
      start: [kept(x, view.x(0), view.x(view.width)), kept(y, view.y(view.height), view.y(0))],
    });
  }
}

function within(event: PointerEvent, map: HTMLElement): [number, number] {
  const box = map.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
