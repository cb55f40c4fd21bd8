// Wasm for npm: the core, the monitor and the flags, each with its glue and the same bytes as text.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StepError } from "./progress.mjs";
import { ROOT } from "./toolchain.mjs";
import { buildWasm } from "./wasm.mjs";

/** What is built: its Cargo feature, its name, where it is put, and the module that loads it, seen from there. */
export const CORE = /** @type {const} */ ({
  feature: "bindings",
  name: "core",
  folder: join(ROOT, "js/src/generated"),
  loader: "../entrypoints/inline-module.ts",
});
export const MONITOR = /** @type {const} */ ({
  feature: "monitor",
  name: "monitor",
  folder: join(ROOT, "js/src/monitor/generated"),
  loader: "../inline-module.ts",
});
export const FLAGS = /** @type {const} */ ({
  feature: "flags",
  name: "flags",
  folder: join(ROOT, "js/src/flags/generated"),
  loader: "../inline-module.ts",
});

/** Builds one of them. @param {typeof CORE | typeof MONITOR | typeof FLAGS} what */
export async function buildForNpm({ feature, name, folder, loader }) {
  await buildWasm({ feature, name, folder, bindgen: [] });
  const glue = join(folder, `${name}.js`);
  const text = readFileSync(glue, "utf8");
  const importLine = new RegExp(`^import source wasmModule from "\\./${name}_bg\\.wasm";$`, "gm");
  if (text.match(importLine)?.length !== 1)
    throw new StepError("wasm-bindgen's glue has no line that imports the wasm");
  writeFileSync(glue, text.replace(importLine, `import wasmModule from "${loader}";`));
  const wasm = readFileSync(join(folder, `${name}_bg.wasm`));
  writeFileSync(join(folder, `${name}.base64.js`), `export default "${wasm.toString("base64")}";\n`);
  writeFileSync(join(folder, `${name}.base64.d.ts`), "declare const text: string;\nexport default text;\n");
}
