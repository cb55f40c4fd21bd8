// One file per Worker, with its client inside, and the core's wasm beside it.
import { copyFileSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** What every Worker of the benchmark runs under. */
export const COMPATIBILITY_DATE = "2026-04-01";

const HERE = dirname(fileURLToPath(import.meta.url));

/**
 * Bundles a Worker of this folder as a Workers toolchain would, not minified.
 *
 * @param {string} entry File name.
 * @param {string} folder Emptied first; gets `worker.js`, and `core.wasm` if the Worker imports it.
 * @param {string} [client] What `bench:client` stands for: a file of bench/clients.
 */
export async function bundleWorker(entry, folder, client) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { metafile } = await build({
    entryPoints: [join(HERE, entry)],
    outfile: join(folder, "worker.js"),
    bundle: true,
    format: "esm",
    target: "es2022",
    conditions: ["workerd", "worker", "browser"],
    alias: client === undefined ? {} : { "bench:client": join(HERE, "../clients", `${client}.mjs`) },
    external: ["*.wasm", "cloudflare:*", "node:*"],
    metafile: true,
    logLevel: "error",
  });
  const imports = Object.values(metafile.outputs).flatMap((output) => output.imports);
  if (!imports.some(({ path }) => path.endsWith(".wasm"))) return;
  const core = createRequire(import.meta.url).resolve("seawall/core.wasm");
  if (!existsSync(core)) throw new Error(`${core} is missing. Run: npm run build`);
  copyFileSync(core, join(folder, "core.wasm"));
}
