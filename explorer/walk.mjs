/** Walks the rules of a page, as emitted and as their cards say, and prints where they went.
 *
 *  node walk.mjs PAGE_DATA.json STEPS LEARNING_RATE
 */

import { pathToFileURL } from "node:url";
import { bundled } from "./bundling.mjs";

const [file, steps, rate] = process.argv.slice(2);
const [path] = await bundled({ walked: "test/walked.ts" }, "walk");
const { walked } = await import(pathToFileURL(path).href);
console.log(JSON.stringify(walked(file, Number(steps), Number(rate))));
