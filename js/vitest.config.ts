import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vitest/config";

const generated = [
  fileURLToPath(new URL("src/generated/core", import.meta.url)),
  fileURLToPath(new URL("src/monitor/generated/monitor", import.meta.url)),
  fileURLToPath(new URL("src/flags/generated/flags", import.meta.url)),
  fileURLToPath(new URL("src/flags/tools/generated/flag-tools", import.meta.url)),
];

/** Loads each wasm from its file, as the entry points do from theirs. Run `npm run build` first. */
function wasm(): Plugin {
  return {
    name: "seawall-wasm",
    enforce: "pre",
    transform(code, id) {
      const path = generated.find((path) => id === `${path}.js`);
      if (path === undefined) return;
      const base64 = readFileSync(`${path}_bg.wasm`).toString("base64");
      const load = `const wasmModule = new WebAssembly.Module(Buffer.from("${base64}", "base64"));`;
      return { code: code.replace(/^import (source )?wasmModule from .*;$/m, load), map: null };
    },
  };
}

/** Loads SQL as text, as the bundle holds it. */
function sql(): Plugin {
  return {
    name: "seawall-sql",
    enforce: "pre",
    transform: (code, id) =>
      id.endsWith(".sql") ? { code: `export default ${JSON.stringify(code)};`, map: null } : undefined,
  };
}

export default defineConfig({ plugins: [wasm(), sql()], test: { include: ["test/**/*.test.ts"] } });
