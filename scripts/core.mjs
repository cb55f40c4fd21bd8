// Wasm for npm: the core, the monitor, the flags and their tools, each with its glue and the same bytes as text.
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
/** Instantiated when it is first needed: `__wbg_reset_state` begins it. */
export const FLAG_TOOLS = /** @type {const} */ ({
  feature: "flag-tools",
  name: "flag-tools",
  folder: join(ROOT, "js/src/flags/tools/generated"),
  loader: "../../inline-tools-module.ts",
});
export const PARTS = /** @type {const} */ ([CORE, MONITOR, FLAGS, FLAG_TOOLS]);

/** Builds one of them. @param {typeof PARTS[number]} what */
export async function buildForNpm({ feature, name, folder, loader }) {
  await buildWasm({ feature, name, folder, bindgen: [] });
  const glue = join(folder, `${name}.js`);
  const text = readFileSync(glue, "utf8");
  const importLine = new RegExp(`^import source wasmModule from "\\./${name}_bg\\.wasm";$`, "gm");
  if (text.match(importLine)?.length !== 1)
    throw new StepError("wasm-bindgen's glue has no line that imports the wasm");
  const loaded = text.replace(importLine, `import wasmModule from "${loader}";`);
  writeFileSync(glue, name === FLAG_TOOLS.name ? lazy(loaded) : loaded);
  const wasm = readFileSync(join(folder, `${name}_bg.wasm`));
  writeFileSync(join(folder, `${name}.base64.js`), `export default "${wasm.toString("base64")}";\n`);
  writeFileSync(join(folder, `${name}.base64.d.ts`), "declare const text: string;\nexport default text;\n");
}

/** Glue that makes no instance before `__wbg_reset_state` is called. @param {string} text */
function lazy(text) {
  const made = /^let wasmInstance = .*\nlet wasm = .*\nwasm\.__wbindgen_start\(\);$/gm;
  const used = "new WebAssembly.Instance(wasmModule, ";
  if (text.match(made)?.length !== 1 || text.split(used).length !== 3)
    throw new StepError("wasm-bindgen's glue does not make an instance as it did: see `lazy` in scripts/core.mjs");
  // A bundle brings a function that compiles, a platform a module that is compiled.
  return text
    .replace(made, "let wasmInstance;\nlet wasm;")
    .replace(used, 'new WebAssembly.Instance(typeof wasmModule === "function" ? wasmModule() : wasmModule, ');
}
