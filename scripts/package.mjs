// The npm package: one bundle per platform, its declarations, and the wasm beside them.
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { PARTS } from "./core.mjs";
import { runStep } from "./progress.mjs";
import { ROOT } from "./toolchain.mjs";

const SOURCE = join(ROOT, "js/src");
const DIST = join(ROOT, "js/dist");

/** An import of one source by another, as it stands in a declaration. */
const RELATIVE_IMPORT = /from "(\.{1,2}\/[^"]+)\.ts"/g;
const WASM_DECLARATION = `/** What the package runs, where the platform compiles \`.wasm\` imports. */
declare const compiled: WebAssembly.Module;
export default compiled;
`;

/** What Node requires as CommonJS, the bundle of the command line has within an ES module. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);';

/** How the entries get their wasm: from a file that the platform compiles, or from text in the bundle. */
const ENTRIES = [
  { source: "entrypoints/workerd", name: "workerd", wasm: "./core.wasm", external: ["cloudflare:workers"] },
  { source: "entrypoints/edge-light", name: "edge-light", wasm: "./core.wasm?module", external: [] },
  { source: "entrypoints/index", name: "index", wasm: undefined, external: [] },
  { source: "monitor/index", name: "monitor/workerd", wasm: "../monitor.wasm", external: ["cloudflare:workers"] },
  { source: "monitor/index", name: "monitor/edge-light", wasm: "../monitor.wasm?module", external: [] },
  { source: "monitor/index", name: "monitor/index", wasm: undefined, external: [] },
  {
    source: "flags/workerd",
    name: "flags/workerd",
    wasm: "../flags.wasm",
    tools: "../flag-tools.wasm",
    external: ["cloudflare:workers"],
  },
  {
    source: "flags/index",
    name: "flags/edge-light",
    wasm: "../flags.wasm?module",
    tools: "../flag-tools.wasm?module",
    external: [],
  },
  { source: "flags/index", name: "flags/index", wasm: undefined, external: [] },
  { source: "flags/snapshot", name: "flags/snapshot-workerd", wasm: "../flags.wasm", external: [] },
  { source: "flags/snapshot", name: "flags/snapshot-edge-light", wasm: "../flags.wasm?module", external: [] },
  { source: "flags/snapshot", name: "flags/snapshot", wasm: undefined, external: [] },
  { source: "openfeature/index", name: "openfeature/index", wasm: undefined, external: [] },
  { source: "records/index", name: "records/index", wasm: undefined, external: [] },
  {
    source: "telemetry/opentelemetry",
    name: "telemetry/opentelemetry",
    wasm: undefined,
    external: ["@opentelemetry/api"],
  },
];

/** Stores that are imported by themselves: `seawall/stores/<name>`. Only `file` needs what only Node has. */
const STORES = /^\.\/stores\/(.+)$/;

/** Names of the stores that the package exports. @returns {string[]} */
function storeNames() {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "js/package.json"), "utf8"));
  return Object.keys(exports).flatMap((path) => STORES.exec(path)?.[1] ?? []);
}

/** What operators run by hand where they do not let the package run it. */
const MIGRATION = "records/003_add_multi_database_support.sql";

/** @type {import("esbuild").BuildOptions} */
const BUNDLE = {
  bundle: true,
  format: "esm",
  platform: "neutral",
  target: "es2022",
  minifySyntax: true,
  legalComments: "none",
  charset: "utf8",
  logLevel: "error",
  loader: { ".sql": "text" },
};

/** Bundles the entries and writes the declarations into js/dist. */
export async function buildPackage() {
  rmSync(DIST, { recursive: true, force: true });
  mkdirSync(DIST, { recursive: true });
  const { build } = await import("esbuild");
  for (const { source, name, wasm, tools, external } of ENTRIES) {
    await build({
      ...BUNDLE,
      entryPoints: [join(SOURCE, `${source}.ts`)],
      outfile: join(DIST, `${name}.js`),
      external,
      plugins: wasm === undefined ? [] : [importWasm(wasm, tools)],
    });
  }
  for (const name of storeNames()) {
    const outfile = join(DIST, "store", `${name}.js`);
    await build({ ...BUNDLE, entryPoints: [join(SOURCE, "store", `${name}.ts`)], outfile, external: ["node:*"] });
    writeFileSync(join(DIST, "store", `${name}.cjs`), `module.exports = require("./${name}.js");\n`);
  }
  await buildCommandLine(build);
  copyFileSync(join(SOURCE, MIGRATION), join(DIST, MIGRATION));
  for (const { folder, name } of PARTS) copyFileSync(join(folder, `${name}_bg.wasm`), join(DIST, `${name}.wasm`));
  // Node requires ES modules by itself; the file is for tools that judge by the name. Both ways lead to one instance.
  for (const folder of ["", "monitor", "flags", "openfeature", "records"])
    writeFileSync(join(DIST, folder, "index.cjs"), 'module.exports = require("./index.js");\n');
  writeFileSync(join(DIST, "flags/snapshot.cjs"), 'module.exports = require("./snapshot.js");\n');
  writeFileSync(join(DIST, "telemetry/opentelemetry.cjs"), 'module.exports = require("./opentelemetry.js");\n');
  for (const file of ["README.md", "LICENSE-MIT", "LICENSE-APACHE"])
    copyFileSync(join(ROOT, file), join(ROOT, "js", file));
  await buildDeclarations();
}

/** Flags and clients lie beside the command line, which loads them when it needs them. @type {import("esbuild").Plugin} */
const BESIDE = {
  name: "beside",
  setup(build) {
    build.onResolve({ filter: /\/flags\/index\.ts$/ }, () => ({ path: "./flags/index.js", external: true }));
    build.onResolve({ filter: /\.\.\/index\.ts$/ }, () => ({ path: "./index.js", external: true }));
  },
};

/** `seawall`, with its packages: who installs ours gets no others. @param {typeof import("esbuild").build} build */
export async function buildCommandLine(build) {
  const { version } = JSON.parse(readFileSync(join(ROOT, "js/package.json"), "utf8"));
  const outfile = join(DIST, "cli.js");
  await build({
    ...BUNDLE,
    entryPoints: [join(SOURCE, "cli/main.ts")],
    outfile,
    platform: "node",
    target: "node20",
    minify: true,
    banner: { js: REQUIRE },
    define: { __VERSION__: JSON.stringify(version) },
    plugins: [BESIDE],
  });
  chmodSync(outfile, 0o755);
}

/**
 * Leaves the wasm outside of the bundle, under `path`; that of the tools of flags under `tools`.
 *
 * @param {string} path
 * @param {string} [tools]
 * @returns {import("esbuild").Plugin}
 */
function importWasm(path, tools) {
  return {
    name: "import-wasm",
    setup(build) {
      build.onResolve({ filter: /\/inline-module\.ts$/ }, () => ({ path, external: true }));
      build.onResolve({ filter: /\/inline-tools-module\.ts$/ }, () => ({ path: tools ?? path, external: true }));
    },
  };
}

async function buildDeclarations() {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  await runStep("type declarations", process.execPath, [compiler, "-p", join(ROOT, "js/tsconfig.build.json")], {
    cwd: ROOT,
  });
  const reached = new Set([
    "index.d.ts",
    "monitor/index.d.ts",
    "flags/index.d.ts",
    "flags/snapshot.d.ts",
    "openfeature/index.d.ts",
    "records/index.d.ts",
    "telemetry/opentelemetry.d.ts",
    ...storeNames().map((name) => `store/${name}.d.ts`),
  ]);
  for (const file of reached) {
    const text = readFileSync(join(DIST, file), "utf8");
    for (const [, path] of text.matchAll(RELATIVE_IMPORT))
      reached.add(`${posix.join(posix.dirname(file), path ?? "")}.d.ts`);
    // The sources import each other as `.ts`; what is shipped answers to `.js`, and to `.cjs` where that is asked for.
    writeFileSync(join(DIST, file), text.replace(RELATIVE_IMPORT, 'from "$1.js"'));
    writeFileSync(join(DIST, file.replace(/\.ts$/, ".cts")), text.replace(RELATIVE_IMPORT, 'from "$1.cjs"'));
  }
  for (const file of readdirSync(DIST, { recursive: true, encoding: "utf8" })) {
    if (file.endsWith(".d.ts") && !reached.has(file.split(sep).join("/"))) rmSync(join(DIST, file));
  }
  for (const { name } of PARTS) {
    for (const ending of ["ts", "cts"]) writeFileSync(join(DIST, `${name}.wasm.d.${ending}`), WASM_DECLARATION);
  }
}
