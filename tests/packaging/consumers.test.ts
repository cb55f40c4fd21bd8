// The installed tarball in each kind of project that it is for, against a real server.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createContext, Script } from "node:vm";
import { type BuildOptions, build, type Plugin } from "esbuild";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Sqld, startSqld } from "../support/sqld.mjs";
import { bundleWorker, COMPATIBILITY_DATE, type Module } from "../support/workerd.mjs";
import { type Consumer, installTarball, ROOT, run } from "./tarball.ts";

let consumer: Consumer;
let sqld: Sqld;

beforeAll(async () => {
  [consumer, sqld] = await Promise.all([installTarball(), startSqld()]);
});
afterAll(async () => {
  await sqld?.stop();
  await consumer?.remove();
});

/** Writes a file of the consumer's and returns its path. */
function write(name: string, text: string): string {
  const path = join(consumer.folder, name);
  writeFileSync(path, text);
  return path;
}

/** Asks the server through `createClient` and prints the answer. */
function asking(): string {
  return `
    const db = createClient({ url: "${sqld.url}" });
    const { rows } = await db.execute("SELECT 7 * 6 AS answer");
    console.log(JSON.stringify({ answer: rows[0].answer, state: db.seawall.status().breaker.state }));
    db.close();`;
}

const ANSWER = { answer: 42, state: "CLOSED" };

/** A Worker that asks the server. */
function worker(specifier: string): string {
  return `
    import { createClient } from "${specifier}";
    const db = createClient({ url: "${sqld.url}" });
    export default {
      async fetch() {
        const { rows } = await db.execute("SELECT 7 * 6 AS answer");
        return Response.json({ answer: rows[0].answer, state: db.seawall.status().breaker.state });
      },
    };`;
}

async function askWorkerd(modules: Module[]): Promise<unknown> {
  const miniflare = new Miniflare({
    cf: false,
    host: "127.0.0.1",
    compatibilityDate: COMPATIBILITY_DATE,
    modulesRoot: "/",
    modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
  });
  try {
    return await (await fetch(await miniflare.ready)).json();
  } finally {
    await miniflare.dispose();
  }
}

it("Node imports it", async () => {
  const path = write("import.mjs", `import { createClient } from "seawall";${asking()}`);
  expect(JSON.parse(await run(process.execPath, [path], consumer.folder))).toEqual(ANSWER);
});

it("Node requires it", async () => {
  const path = write("require.cjs", `const { createClient } = require("seawall");(async () => {${asking()}})();`);
  expect(JSON.parse(await run(process.execPath, [path], consumer.folder))).toEqual(ANSWER);
});

it("import and require lead to one instance, which shares its state", async () => {
  const path = write(
    "both.mjs",
    `import { createRequire } from "node:module";
    import * as imported from "seawall";
    import * as inline from "seawall/inline";
    const required = createRequire(import.meta.url)("seawall");
    console.log(JSON.stringify([imported.createClient === required.createClient, imported.createClient === inline.createClient,
      imported.LibsqlError === required.LibsqlError]));`,
  );
  expect(JSON.parse(await run(process.execPath, [path], consumer.folder))).toEqual([true, true, true]);
});

it("each store is imported and required by itself, and is the same function either way", async () => {
  const { exports } = JSON.parse(readFileSync(join(consumer.installed, "package.json"), "utf8"));
  const paths = Object.keys(exports).filter((path) => path.startsWith("./stores/"));
  const path = write(
    "stores.mjs",
    `import { createRequire } from "node:module";
    const require = createRequire(import.meta.url);
    const found = {};
    for (const path of ${JSON.stringify(paths)}) {
      const name = path.replace(".", "seawall");
      const [imported, required] = [await import(name), require(name)];
      for (const key of Object.keys(imported)) found[key] = imported[key] === required[key] && typeof imported[key];
    }
    console.log(JSON.stringify(found));`,
  );
  const hints = ["cacheApi", "denoKv", "file", "libsql", "memory", "netlifyBlobs", "redis", "upstash", "workersKv"];
  const strong = ["durableObject", "strongFile", "strongLibsql", "strongMemory", "strongRedis", "strongUpstash"];
  const expected = Object.fromEntries([...hints, ...strong].map((name) => [`${name}Store`, "function"]));
  expect(JSON.parse(await run(process.execPath, [path], consumer.folder))).toEqual(expected);
  const main = readFileSync(join(consumer.installed, "dist/workerd.js"), "utf8");
  for (const name of ["redisStore", "upstashStore", "libsqlStore", "durableObjectStore", "strong", "node:fs"])
    expect(main).not.toContain(name);
});

it("AUD-11: records are imported and required by themselves, and bring their migration", async () => {
  const path = write(
    "records.mjs",
    `import { createRequire } from "node:module";
    import * as imported from "seawall/records";
    const required = createRequire(import.meta.url)("seawall/records");
    const client = { execute: async () => ({ rows: [{}], rowsAffected: 0 }), batch: async () => [] };
    const records = imported.createRecords({ client, keys: ["${"0123456789abcdef".repeat(4)}"] });
    console.log(JSON.stringify([imported.createRecords === required.createRecords, imported.MIGRATION_SQL, await records.migrate()]));`,
  );
  const [isSame, sql, result] = JSON.parse(await run(process.execPath, [path], consumer.folder));
  expect([isSame, result]).toEqual([true, { applied: false }]);
  const file = join(consumer.installed, "dist/records/003_add_multi_database_support.sql");
  expect(sql).toBe(readFileSync(file, "utf8"));
  expect(readFileSync(join(consumer.installed, "dist/workerd.js"), "utf8")).not.toContain("platform_databases");
});

it("Node resolves the core, for those who load it by hand", async () => {
  const path = write("core.mjs", `console.log(import.meta.resolve("seawall/core.wasm"));`);
  const url = new URL((await run(process.execPath, [path], consumer.folder)).trim());
  expect(WebAssembly.validate(readFileSync(url))).toBe(true);
});

it.each(["esm", "cjs"] as const)("esbuild bundles it for Node into one %s file that stands alone", async (format) => {
  const entry = write(
    `bundle-${format}.js`,
    `import { createClient } from "seawall";\nasync function main() {${asking()}}\nmain();`,
  );
  const elsewhere = mkdtempSync(join(tmpdir(), "seawall-bundle-"));
  try {
    const outfile = join(elsewhere, format === "esm" ? "bundle.mjs" : "bundle.cjs");
    await build({ entryPoints: [entry], outfile, bundle: true, platform: "node", format, logLevel: "error" });
    expect(JSON.parse(await run(process.execPath, [outfile], elsewhere))).toEqual(ANSWER);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

it("workerd loads its entry as it is", async () => {
  const file = (name: string) => readFileSync(join(consumer.installed, "dist", name));
  const modules: Module[] = [
    { type: "ESModule", path: "main.js", contents: worker("./workerd.js") },
    { type: "ESModule", path: "workerd.js", contents: file("workerd.js").toString() },
    { type: "CompiledWasm", path: "core.wasm", contents: new Uint8Array(file("core.wasm")) },
  ];
  expect(await askWorkerd(modules)).toEqual(ANSWER);
});

it("esbuild bundles it for Workers with the core beside it", async () => {
  const modules = await bundleWorker(write("worker.js", worker("seawall")));
  expect(modules.map(({ type }) => type)).toEqual(["ESModule", "CompiledWasm"]);
  expect(await askWorkerd(modules)).toEqual(ANSWER);
});

it("the inline entry runs in workerd too, where a bundler cannot keep the core beside it", async () => {
  const modules = await bundleWorker(write("inline-worker.js", worker("seawall/inline")));
  expect(modules.map(({ type }) => type)).toEqual(["ESModule"]);
  expect(await askWorkerd(modules)).toEqual(ANSWER);
});

/** What platforms that compile `?module` imports do with them: a module of theirs, from outside of the sandbox. */
const moduleImports: Plugin = {
  name: "module-imports",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: "compiled" }));
    onLoad({ filter: /.*/, namespace: "compiled" }, ({ path }) => ({
      contents: `export default COMPILED[${JSON.stringify(path)}];`,
    }));
  },
};

it("an edge runtime runs it, with a module of another realm and no compiling inside", async () => {
  const text = readFileSync(join(consumer.installed, "dist/edge-light.js"), "utf8");
  const imports = [...text.matchAll(/^import .*$/gm)].map(([line]) => line);
  expect(imports).toHaveLength(1);
  expect(imports[0]).toMatch(/^import \w+ from ["']\.\/core\.wasm\?module["'];$/);

  const entry = write(
    "edge.js",
    `import { createClient } from "seawall";\nasync function main() {${asking()}}\nmain().catch(FAILED);`,
  );
  const options: BuildOptions = {
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    conditions: ["edge-light"],
    plugins: [moduleImports],
    logLevel: "error",
  };
  const code = (await build(options)).outputFiles?.[0]?.text ?? "";
  const core = new WebAssembly.Module(readFileSync(join(consumer.installed, "dist/core.wasm")));
  const { AbortController, clearTimeout, crypto, fetch, Headers, Request, Response, setTimeout } = globalThis;
  const { TextDecoder, TextEncoder, URL } = globalThis;
  const printed = await new Promise<string>((resolve, reject) => {
    const globals = {
      ...{ AbortController, clearTimeout, crypto, fetch, Headers, Request, Response, setTimeout },
      ...{ TextDecoder, TextEncoder, URL },
      EdgeRuntime: "edge-runtime",
      COMPILED: { "./core.wasm?module": core },
      FAILED: reject,
      console: { log: resolve },
    };
    new Script(code).runInContext(createContext(globals, { codeGeneration: { strings: false, wasm: false } }));
  });
  expect(JSON.parse(printed)).toEqual(ANSWER);
});

it.each(["mts", "cts"])("TypeScript checks a .%s consumer, declarations included", async (extension) => {
  const source = write(
    `consumer.${extension}`,
    `import { createClient, memoryStore, type ResultSet, ResilienceError, type SeawallClient } from "seawall";
    import { compileFlags, createFlags, type FlagExposure } from "seawall/flags";
    import { createFlags as createSnapshotFlags } from "seawall/flags/snapshot";
    import { createMonitor } from "seawall/monitor";
    import { durableObjectStore } from "seawall/stores/durable-object";
    import { libsqlStore, strongLibsqlStore } from "seawall/stores/libsql";
    import { memoryStore as alone } from "seawall/stores/memory";
    import { upstashStore } from "seawall/stores/upstash";
    const client: SeawallClient = createClient({ url: "http://127.0.0.1:1", seawall: { state: { store: memoryStore() } } });
    createClient({ url: "http://127.0.0.1:1", seawall: { state: { store: alone() } } });
    createClient({ url: "http://127.0.0.1:1", seawall: { state: { store: libsqlStore({ client }) } } });
    createMonitor({ databases: { client }, store: strongLibsqlStore({ client }), cache: alone(), adminToken: "" });
    const exposures: readonly FlagExposure[] = createFlags({ definitions: { version: 1 } }).exposures();
    createSnapshotFlags({ definitions: compileFlags({ version: 1 }).snapshot }).for({}).boolean("x");
    // @ts-expect-error: documents are for seawall/flags.
    createSnapshotFlags({ definitions: { version: 1 } });
    export { exposures };
    // @ts-expect-error: a store of hints may forget.
    createMonitor({ databases: { client }, store: alone() });
    export const bound = (namespace: Parameters<typeof durableObjectStore>[0]) => durableObjectStore(namespace, { name: "x" });
    // @ts-expect-error: the token is not optional.
    upstashStore({ url: "http://127.0.0.1:1" });
    export const result: Promise<ResultSet> = client.execute({ sql: "SELECT ?", args: [1] });
    export const isRefusal = (error: unknown): boolean => error instanceof ResilienceError && error.retry === "at";
    // @ts-expect-error: the address is not optional.
    createClient({});`,
  );
  const strict = ["--strict", "--noEmit", "--skipLibCheck", "false", "--types", ""];
  const target = ["--target", "es2022", "--lib", "es2022,dom,dom.iterable,esnext.disposable"];
  const resolution = ["--module", "nodenext", "--moduleResolution", "nodenext"];
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [compiler, ...strict, ...target, ...resolution, source], consumer.folder);
});

const FLAGS = {
  version: 1,
  flags: {
    new: { maxAge: "1m", rules: [{ rollout: 100, serve: "on" }] },
    plan: { variants: { a: "A" }, default: "a" },
  },
};
const FLAGS_ANSWER = { isOn: true, plan: "A", reason: "STATIC", isKilled: false };
/** Makes flags, asks them, and kills one. */
const FLAGS_ASKED = `
  const user = flags.for({ targetingKey: "u1" });
  const [isOn, plan] = [user.boolean("new"), user.string("plan")];
  const { reason } = user.booleanDetails("new");
  flags.kill(["new"]);
  const isKilled = user.boolean("new", true);
  flags.kill([]);
  const answer = { isOn, plan, reason, isKilled };`;

it("Node imports and requires flags", async () => {
  for (const [name, load] of [
    ["flags.mjs", 'import { createFlags } from "seawall/flags";'],
    ["flags.cjs", 'const { createFlags } = require("seawall/flags");'],
  ] as const) {
    const flags = `const flags = createFlags({ definitions: ${JSON.stringify(FLAGS)} });`;
    const path = write(name, `${load}${flags}${FLAGS_ASKED}console.log(JSON.stringify(answer));`);
    expect(JSON.parse(await run(process.execPath, [path], consumer.folder)), name).toEqual(FLAGS_ANSWER);
  }
});

it("flags of snapshots alone are imported, required, and run in workerd without what reads documents", async () => {
  const path = write(
    "flag-snapshots.mjs",
    `import { createRequire } from "node:module";
     import { compileFlags } from "seawall/flags";
     import { createFlags } from "seawall/flags/snapshot";
     const { snapshot } = compileFlags(${JSON.stringify(FLAGS)});
     const required = createRequire(import.meta.url)("seawall/flags/snapshot");
     const flags = createFlags({ definitions: snapshot });${FLAGS_ASKED}
     const isSame = required.createFlags === createFlags;
     console.log(JSON.stringify({ answer, isSame, snapshot: Buffer.from(snapshot).toString("base64") }));`,
  );
  const { answer, isSame, snapshot } = JSON.parse(await run(process.execPath, [path], consumer.folder));
  expect([answer, isSame]).toEqual([FLAGS_ANSWER, true]);
  const entry = write(
    "flag-snapshots-worker.mjs",
    `import { createFlags } from "seawall/flags/snapshot";
     const definitions = Uint8Array.from(atob("${snapshot}"), (letter) => letter.charCodeAt(0));
     const flags = createFlags({ definitions });
     export default { fetch() { ${FLAGS_ASKED} return Response.json(answer); } };`,
  );
  const modules = await bundleWorker(entry);
  expect(modules.filter(({ type }) => type === "CompiledWasm")).toHaveLength(1);
  expect(await askWorkerd(modules)).toEqual(FLAGS_ANSWER);
});

it("workerd evaluates flags that were made before its first request, from a document or a snapshot", async () => {
  const entry = write(
    "flags-worker.mjs",
    `import { createFlags } from "seawall/flags";
     const made = createFlags({ definitions: ${JSON.stringify(FLAGS)} });
     const flags = createFlags({ definitions: made.snapshot() });
     export default { fetch() { ${FLAGS_ASKED} return Response.json(answer); } };`,
  );
  expect(await askWorkerd(await bundleWorker(entry))).toEqual(FLAGS_ANSWER);
});

it("HLT-27: the command line comes with the package, and asks a monitor of it", async () => {
  const server = write(
    "monitored.mjs",
    `import { createServer } from "node:http";
    import { createClient } from "seawall";
    import { createMonitor } from "seawall/monitor";
    const primary = createClient({ url: "${sqld.url}" });
    const monitor = createMonitor({ databases: { primary } });
    createServer(async (request, response) => {
      const answer = await monitor.handle(new Request("http://127.0.0.1" + request.url));
      response.writeHead(answer.status, Object.fromEntries(answer.headers)).end(await answer.text());
    }).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`,
  );
  const child = spawn(process.execPath, [server], { cwd: consumer.folder, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const port = Number(String(await new Promise((resolve) => child.stdout.once("data", resolve))));
    const args = ["--offline", "seawall", "monitor:health", "--url", `http://127.0.0.1:${port}`];
    const { status, databases } = JSON.parse(await run("npx", args, consumer.folder));
    expect(status).toBe("healthy");
    expect(databases.primary.circuit).toBe("CLOSED");
  } finally {
    child.kill();
  }
});
