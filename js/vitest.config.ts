import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

const generated = fileURLToPath(new URL("src/generated/", import.meta.url));

/** Loads the core from its file, as the entry points do from theirs. Run `npm run build` first. */
function core(): Plugin {
  return {
    name: "seawall-core",
    enforce: "pre",
    transform(code, id) {
      if (id !== `${generated}core.js`) return;
      const base64 = readFileSync(`${generated}core_bg.wasm`).toString("base64");
      const load = `const wasmModule = new WebAssembly.Module(Buffer.from("${base64}", "base64"));`;
      return { code: code.replace(/^import (source )?wasmModule from .*;$/m, load), map: null };
    },
  };
}

export default defineConfig({ plugins: [core()], test: { include: ["test/**/*.test.ts"] } });
