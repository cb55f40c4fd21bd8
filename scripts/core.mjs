// The core for npm: wasm, glue, and the same bytes as text, in js/src/generated.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { StepError } from "./progress.mjs";
import { ROOT } from "./toolchain.mjs";
import { buildWasm } from "./wasm.mjs";

export const GENERATED = join(ROOT, "js/src/generated");

/** Builds the core and its glue into js/src/generated. */
export async function buildCore() {
  await buildWasm({ feature: "bindings", name: "core", folder: GENERATED, bindgen: [] });
  const glue = join(GENERATED, "core.js");
  const text = readFileSync(glue, "utf8");
  const importLine = /^import source wasmModule from "\.\/core_bg\.wasm";$/gm;
  if (text.match(importLine)?.length !== 1)
    throw new StepError("wasm-bindgen's glue has no line that imports the wasm");
  writeFileSync(glue, text.replace(importLine, 'import wasmModule from "../entrypoints/inline-module.ts";'));
  const wasm = readFileSync(join(GENERATED, "core_bg.wasm"));
  writeFileSync(join(GENERATED, "core.base64.js"), `export default "${wasm.toString("base64")}";\n`);
  writeFileSync(join(GENERATED, "core.base64.d.ts"), "declare const text: string;\nexport default text;\n");
}
