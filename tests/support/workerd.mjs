// Workers for workerd, bundled as a deployment would: for tests and the demo.
import { basename, extname } from "node:path";
import { build } from "esbuild";

/** @typedef {{ type: "ESModule" | "CompiledWasm" | "Data", path: string, contents: string | Uint8Array<ArrayBuffer> }} Module */

export const COMPATIBILITY_DATE = "2026-04-01";
/** As wrangler.toml has them. */
export const COMPATIBILITY_FLAGS = ["enable_request_signal", "global_fetch_strictly_public"];

/** What is not JavaScript, by the end of its name: as wrangler has it, and the rules of the examples. @type {Record<string, Module["type"]>} */
const TYPES = { ".wasm": "CompiledWasm", ".snapshot": "Data" };

/**
 * Bundles a Worker and what it imports; the packages choose their `workerd` entries.
 *
 * @param {string} entry Path of its main module.
 * @param {{ alias?: Record<string, string> }} [options] `alias` replaces imports by others.
 * @returns {Promise<Module[]>} The main module first, in the form that Miniflare takes.
 */
export async function bundleWorker(entry, options = {}) {
  const { outputFiles } = await build({
    entryPoints: { worker: entry },
    outdir: "/",
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    target: "es2022",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker"],
    external: ["cloudflare:*", "node:*"],
    loader: { ".wasm": "copy", ".snapshot": "copy" },
    assetNames: "[name]",
    alias: options.alias ?? {},
    logLevel: "error",
  });
  return outputFiles
    .map(({ path, contents, text }) => {
      const type = TYPES[extname(path)] ?? "ESModule";
      return /** @type {Module} */ ({
        type,
        path: basename(path),
        contents: type === "ESModule" ? text : new Uint8Array(contents),
      });
    })
    .sort((left, right) => Number(left.type !== "ESModule") - Number(right.type !== "ESModule"));
}
