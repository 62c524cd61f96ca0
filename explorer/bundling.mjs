/** Bundles TypeScript for Node, into a folder of its own under .build. */

import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const HERE = dirname(fileURLToPath(import.meta.url));

/** Name of each bundle -> its entry, a path from here. Gives the path of each bundle. */
export async function bundled(entryPoints, folder) {
  const outdir = join(HERE, ".build", folder);
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: HERE,
    entryPoints,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    sourcemap: "inline",
    logLevel: "warning",
  });
  return Object.keys(entryPoints).map((name) => join(outdir, `${name}.mjs`));
}
