/** Bundles the tests and runs them in Node.
 *
 *  node test.mjs [part of a file's name ...]
 */

import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const OUT = join(HERE, ".build/test");

const wanted = process.argv.slice(2);
const tests = readdirSync(join(HERE, "test"), { recursive: true })
  .filter((file) => file.endsWith(".test.ts"))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
  .sort();

rmSync(OUT, { recursive: true, force: true });
await build({
  absWorkingDir: HERE,
  entryPoints: Object.fromEntries(
    tests.map((file) => [`${file.replaceAll(/[\\/]/g, "_").replace(/\.ts$/, "")}`, join("test", file)]),
  ),
  outdir: OUT,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  sourcemap: "inline",
  logLevel: "warning",
});

const files = readdirSync(OUT).map((file) => join(OUT, basename(file)));
const done = spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], {
  stdio: "inherit",
});
process.exit(done.status ?? 1);
