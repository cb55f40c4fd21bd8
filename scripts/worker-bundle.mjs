// The deployable Worker: build/index.js and build/index_bg.wasm, which wrangler and miniflare take as they are.
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StepError } from "./progress.mjs";
import { ROOT } from "./toolchain.mjs";
import { buildWasm } from "./wasm.mjs";

const BUILD = join(ROOT, "build");

/** Builds the Worker into `build/`. */
export async function buildWorker() {
  const glue = join(BUILD, ".bindgen");
  const outfile = join(BUILD, "index.js");
  const wasm = join(BUILD, "index_bg.wasm");
  for (const old of [outfile, wasm]) rmSync(old, { force: true });
  await buildWasm({
    feature: "worker",
    name: "index",
    folder: glue,
    // Its abort handler is how the `worker` crate learns of a panic and replaces the instance.
    bindgen: ["--no-typescript", "--force-enable-abort-handler"],
    features: ["exception-handling"],
  });
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(ROOT, "src/worker/entry.js")],
    outfile,
    bundle: true,
    format: "esm",
    target: "esnext",
    alias: { "seawall-core": join(glue, "index.js") },
    external: ["./index_bg.wasm", "cloudflare:*"],
    legalComments: "none",
    logLevel: "error",
  });
  const text = readFileSync(outfile, "utf8");
  const parts = text.split("import source ");
  if (parts.length !== 2) throw new StepError(`build/index.js has ${parts.length - 1} source imports instead of one`);
  // workerd gives the compiled module for a plain import and does not know the other form.
  writeFileSync(outfile, parts.join("import "));
  copyFileSync(join(glue, "index_bg.wasm"), wasm);
  rmSync(glue, { recursive: true, force: true });
}
