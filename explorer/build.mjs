/** Bundles the page: page.js, page.css and the licences of the packages within, into the Python package.
 *
 *  node build.mjs [--out DIRECTORY]
 */

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { build } from "esbuild";

const HERE = dirname(fileURLToPath(import.meta.url));
const BUNDLE = join(HERE, "../src/ruleonce/cli/explore/bundle");

const { values } = parseArgs({ options: { out: { type: "string", default: BUNDLE } } });
const out = resolve(values.out);

const { metafile, outputFiles } = await build({
  absWorkingDir: HERE,
  entryPoints: { page: "src/main.ts", "page.style": "src/style.css" },
  outdir: out,
  bundle: true,
  minify: true,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none", // they stand in LICENSES.txt, whole
  metafile: true,
  write: false,
  logLevel: "warning",
});

mkdirSync(out, { recursive: true });
for (const file of outputFiles) {
  writeFileSync(file.path.replace("page.style.css", "page.css"), file.contents);
}
writeFileSync(join(out, "LICENSES.txt"), licences(packagesIn(Object.keys(metafile.inputs))));

/** The packages that these files belong to, in alphabetical order. */
function packagesIn(files) {
  const inside = files.filter((file) => file.startsWith("node_modules/"));
  return [...new Set(inside.map((file) => file.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)/)[1]))].sort();
}

function licences(packages) {
  const parts = packages.map((name) => {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    const file = readdirSync(folder).find((entry) => /^licen[sc]e/i.test(entry));
    if (!file) throw new Error(`${name} ${version} has no licence file: it cannot be shipped.`);
    const text = readFileSync(join(folder, file), "utf8").replaceAll("\r\n", "\n").trim();
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
  return ["The page contains these packages, under these licences.\n", ...parts].join(
    `\n${"-".repeat(72)}\n\n`,
  );
}
