/** Which surface, with its parameters, the noise of the gradient and the noise's seed. */

import { LARGEST_SEED } from "../../state";
import { element, find, write } from "../dom";
import type { Explorer } from "../explorer";
import { linear, logarithmic } from "../scales";
import { announce } from "../status";
import { suitAll } from "../tuning";
import { Field } from "./field";

const SEEDS = 99;

export function surfaceControls(explorer: Explorer): void {
  const choice = find<HTMLSelectElement>("surface");
  for (const { name, title } of explorer.data.surfaces)
    choice.append(element("option", { value: name }, title));
  choice.addEventListener("change", () => {
    explorer.play(false);
    explorer.setSurface(choice.value);
    suitAll(explorer);
    announce(`${explorer.surface.data.title}. The learning rates now suit it.`);
  });

  let fields = new Map<string, Field>();
  let built = "";
  explorer.on(["surface", "ground"], () => {
    const { state, surface } = explorer;
    choice.value = state.surface;
    write(find("surface-about"), surface.data.about);
    if (built !== state.surface) {
      built = state.surface;
      fields = newFields(explorer);
      find("surface-parameters").replaceChildren(...[...fields.values()].map((field) => field.node));
    }
    for (const [name, value] of Object.entries(state.parameters)) fields.get(name)?.show(value);
    fields.get("noise")?.show(state.noise);
    fields.get("seed")?.show(state.seed);
  });
}

function newFields(explorer: Explorer): Map<string, Field> {
  const { state, surface } = explorer;
  const fields = new Map<string, Field>();
  for (const { name, title, low, high, logarithmic: isLog, unit } of surface.data.parameters) {
    const scale = isLog ? logarithmic(low, high) : linear(low, high);
    const change = (value: number) => explorer.setParameter(name, value);
    const value = state.parameters[name] ?? low;
    const [id, least, most] = [`parameter-${name}`, low, high];
    fields.set(name, new Field({ id, title, unit, value, scale, least, most, change }));
  }
  const most = Math.max(10 * surface.data.noise, 10);
  const noise = {
    id: "noise",
    title: "Noise",
    value: state.noise,
    scale: logarithmic(most / 1e4, most, true),
    least: 0,
    change: (value: number) => explorer.setGround({ noise: value }),
  };
  const seed = {
    id: "seed",
    title: "Seed",
    value: state.seed,
    scale: { ...linear(0, SEEDS), value: (position: number) => Math.round(position * SEEDS) },
    least: 0,
    most: LARGEST_SEED,
    whole: true,
    change: (value: number) => explorer.setGround({ seed: value }),
  };
  return fields.set("noise", new Field(noise)).set("seed", new Field(seed));
}
