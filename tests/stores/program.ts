// A program that a test writes, for a process of its own.
import { build } from "esbuild";

/** Bundles TypeScript into one file. Its imports are paths below tests/stores. */
export async function bundleProgram(contents: string, outfile: string): Promise<void> {
  await build({
    stdin: { contents, resolveDir: import.meta.dirname, loader: "ts" },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    // What Node requires as CommonJS, the bundle has within an ES module.
    banner: { js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);' },
    logLevel: "error",
  });
}
