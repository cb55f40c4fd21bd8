// The deployable Worker: build/index.js and build/index_bg.wasm, which wrangler and miniflare take as they are.
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StepError } from "./progress.mjs";
import { ROOT } from "./toolchain.mjs";
import { buildWasm } from "./wasm.mjs";

const BUILD = join(ROOT, "build");

/** Builds the Worker into `build/`. */
export async function buildWorker() {
  rmSync(BUILD, { recursive: true, force: true });
  const glue = join(BUILD, ".bindgen");
  await buildWasm({
    feature: "worker",
    name: "index",
    folder: glue,
    // Its abort handler is how the `worker` crate learns of a panic and replaces the instance.
    bindgen: ["--no-typescript", "--force-enable-abort-handler"],
    features: ["exception-handling"],
  });
  const { build } = await import("esbuild");
  const outfile = join(BUILD, "index.js");
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
  mkdirSync(BUILD, { recursive: true });
  copyFileSync(join(glue, "index_bg.wasm"), join(BUILD, "index_bg.wasm"));
  rmSync(glue, { recursive: true, force: true });
}
