// Builds what ships: the npm package into js/dist, the Worker into build/. `npm run build [npm|worker]`.
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { buildForNpm, PARTS } from "./core.mjs";
import { buildPackage } from "./package.mjs";
import { StepError } from "./progress.mjs";
import { setup } from "./setup.mjs";
import { reportSizes } from "./sizes.mjs";
import { unlessDone } from "./stamp.mjs";
import { ROOT, wasmBindgenVersion } from "./toolchain.mjs";
import { compilerVersion, WASM_INPUTS } from "./wasm.mjs";
import { buildWorker } from "./worker-bundle.mjs";

/** @typedef {"npm" | "worker"} Part */

/**
 * Builds the parts whose sources have changed.
 *
 * @param {readonly Part[]} parts
 */
export async function build(parts = ["npm", "worker"]) {
  const also = [compilerVersion(), wasmBindgenVersion()];
  if (parts.includes("npm")) {
    for (const part of PARTS) {
      const { name } = part;
      const folder = relative(ROOT, part.folder);
      await unlessDone(
        name,
        {
          inputs: [...WASM_INPUTS, "scripts/core.mjs"],
          outputs: [`${name}.js`, `${name}_bg.wasm`, `${name}.base64.js`].map((file) => `${folder}/${file}`),
          also,
        },
        () => buildForNpm(part),
      );
    }
    await unlessDone(
      "package",
      {
        inputs: [
          "js/src",
          "js/tsconfig.build.json",
          "tsconfig.base.json",
          "scripts/package.mjs",
          "package-lock.json",
          "README.md",
        ],
        outputs: ["index", "workerd", "edge-light", "monitor/index", "flags/index", "flags/snapshot", "cli"]
          .map((name) => `js/dist/${name}.js`)
          .concat("js/dist/index.d.ts"),
      },
      buildPackage,
    );
  }
  if (parts.includes("worker")) {
    await unlessDone(
      "worker",
      {
        inputs: [...WASM_INPUTS, "scripts/worker-bundle.mjs", "package-lock.json"],
        outputs: ["build/index.js", "build/index_bg.wasm"],
        also,
      },
      buildWorker,
    );
  }
  reportSizes();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const named = /** @type {Part[]} */ (process.argv.slice(2));
  try {
    await setup({ quiet: true });
    await build(named.length > 0 ? named : undefined);
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
