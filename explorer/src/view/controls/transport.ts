/** Play, pause, a single step, back to the start; how fast, and to which step. */

import { find, write } from "../dom";
import { FASTEST, MOST_STEPS } from "../../state";
import type { Explorer } from "../explorer";
import { logarithmic } from "../scales";
import { fill } from "./field";

const SPEED = logarithmic(1, FASTEST);

export function transport(explorer: Explorer): void {
  const play = find<HTMLButtonElement>("play");
  const scrub = find<HTMLInputElement>("scrub");
  const speed = find<HTMLInputElement>("speed");
  play.addEventListener("click", () => explorer.play(!explorer.playing));
  find("step").addEventListener("click", () => {
    explorer.play(false);
    explorer.step();
  });
  find("reset").addEventListener("click", () => {
    explorer.play(false);
    explorer.reset();
  });
  scrub.addEventListener("input", () => {
    explorer.play(false);
    explorer.goTo(Number(scrub.value));
  });
  speed.addEventListener("input", () =>
    explorer.set("speed", Math.round(SPEED.value(Number(speed.value)))),
  );

  explorer.on(["playing"], () => {
    play.setAttribute("aria-label", explorer.playing ? "Pause" : "Play");
    play.classList.toggle("playing", explorer.playing);
  });
  explorer.on(
    ["time"],
    () => {
      const { t } = explorer.race;
      write(find("t"), String(t));
      // The end moves away as it is come near to, so that early steps are not lost in a corner.
      const end = [100, 200, 500, 1000, 2000, MOST_STEPS].find((most) => t < most * 0.95) ?? MOST_STEPS;
      if (document.activeElement !== scrub || t > Number(scrub.max)) scrub.max = String(end);
      scrub.value = String(t);
      fill(scrub);
    },
    60,
  );
  explorer.on(["speed"], () => {
    const { speed: now } = explorer.state;
    write(find("speed-value"), `${now}/s`);
    speed.value = String(SPEED.position(now));
    speed.setAttribute("aria-valuetext", `${now} steps a second`);
    fill(speed);
  });
}
