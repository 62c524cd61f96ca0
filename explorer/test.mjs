/** Bundles the tests and runs them in Node.
 *
 *  node test.mjs [part of a file's name ...]
 */

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { bundled, HERE } from "./bundling.mjs";

const wanted = process.argv.slice(2);
const tests = readdirSync(join(HERE, "test"), { recursive: true })
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

const files = await bundled(
  Object.fromEntries(
    tests.map((file) => [`${file.replaceAll(/[\\/]/g, "_").replace(/\.ts$/, "")}`, join("test", file)]),
  ),
  "test",
);
const done = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
  stdio: "inherit",
});
process.exit(done.status ?? 1);
