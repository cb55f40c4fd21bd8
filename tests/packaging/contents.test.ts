// What is in the tarball, and what is not.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { publint } from "publint";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Consumer, installTarball, ROOT, run } from "./tarball.ts";

/** What a cold isolate may have to fetch and compile, in bytes. */
const CORE_GZIP_MAX = 100_000;

let consumer: Consumer;

beforeAll(async () => {
  consumer = await installTarball();
});
afterAll(() => consumer?.remove());

it("H182: holds the entries, the core, the declarations, a readme and both licences, and no sources", () => {
  expect(consumer.files).toEqual(
    expect.arrayContaining([
      "LICENSE-APACHE",
      "LICENSE-MIT",
      "README.md",
      "dist/cli.js",
      "dist/core.wasm",
      "dist/edge-light.js",
      "dist/index.cjs",
      "dist/index.d.cts",
      "dist/index.d.ts",
      "dist/index.js",
      "dist/openfeature/index.js",
      "dist/records/003_add_multi_database_support.sql",
      "dist/records/index.js",
      "dist/workerd.js",
      "package.json",
    ]),
  );
  const others = consumer.files.filter((path) => !/^(package\.json|README\.md|LICENSE-\w+|dist\/)/.test(path));
  expect(others).toEqual([]);
  expect(consumer.files.filter((path) => /(^|[^d])\.ts$|\.map$|generated/.test(path))).toEqual([]);
  const odd = consumer.files.filter(
    (path) => path.startsWith("dist/") && !/^dist\/[\w/-]+\.(js|cjs|wasm|sql|((wasm|sql)\.)?d\.c?ts)$/.test(path),
  );
  expect(odd, "nothing but code, its declarations and its SQL").toEqual([]);
  // What was packed is what is installed, but for nothing.
  expect(filesBelow(consumer.installed)).toEqual(consumer.files);
});

it("H182: holds no secret, no environment and nothing that runs when it is installed", () => {
  const named = /(^|\/)\.|\.env|npmrc|secret|credential|\.pem$|\.key$|id_rsa|binding\.gyp$|\.node$|(^|\/)tests?\//i;
  expect(consumer.files.filter((path) => named.test(path))).toEqual([]);
  const manifest = JSON.parse(readFileSync(join(consumer.installed, "package.json"), "utf8"));
  expect(manifest).not.toHaveProperty("scripts");
  expect(manifest).not.toHaveProperty("gypfile");
  for (const file of consumer.files) {
    const text = readFileSync(join(consumer.installed, file), "latin1");
    for (const [what, pattern] of Object.entries(SECRETS))
      expect(text.match(pattern)?.[0], `${file}: ${what}`).toBe(undefined);
  }
});

it("H182: paths in the wasm are those that every build has", () => {
  const wasm = consumer.files.filter((path) => path.endsWith(".wasm"));
  expect(wasm).toEqual(["dist/core.wasm", "dist/flag-tools.wasm", "dist/flags.wasm", "dist/monitor.wasm"]);
  for (const file of wasm) {
    const text = readFileSync(join(consumer.installed, file), "latin1");
    const paths = text.match(/\/[\w./@+-]+\.rs/g) ?? [];
    // Relative ones are cut out of their middle: what is before them is no slash.
    const absolute = paths.filter((path) => !/[\w.]/.test(text[text.indexOf(path) - 1] ?? ""));
    expect(
      absolute.filter((path) => !/^\/(rustc|rust|cargo|seawall)\//.test(path)),
      file,
    ).toEqual([]);
    expect(text, file).not.toMatch(/\/(home|root|Users|tmp|builds?|work|workspaces?|github)\/|[A-Z]:\\/);
  }
});

/** What the secrets of others look like. */
const SECRETS: Record<string, RegExp> = {
  "a private key": /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  "a token of GitHub": /gh[pousr]_[A-Za-z0-9]{36}/,
  "a token of npm": /npm_[A-Za-z0-9]{36}|_authToken=/,
  "a key of AWS": /\bAKIA[0-9A-Z]{16}\b/,
  "a webhook of Slack": /hooks\.slack\.com\/services\/T[A-Z0-9]{8,}\/B[A-Z0-9]{8,}\/\w{20,}/,
  "a signed token": /\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.[A-Za-z0-9_-]{20,}/,
};

/** Paths of all files in a folder, sorted. */
function filesBelow(folder: string): string[] {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return all.map(({ parentPath, name }) => relative(folder, join(parentPath, name))).sort();
}

it("every path that package.json names is there", () => {
  const { bin, exports, main, module, types } = JSON.parse(
    readFileSync(join(consumer.installed, "package.json"), "utf8"),
  );
  const named = JSON.stringify([bin, exports, main, module, types]).match(/\.\/[^"]+\.[^"]+/g) ?? [];
  const targets = named.filter((path) => path.startsWith("./dist/"));
  expect(targets.length).toBeGreaterThan(5);
  expect(targets.filter((path) => !existsSync(join(consumer.installed, path)))).toEqual([]);
});

it("H182: installs nothing else", () => {
  const manifest = JSON.parse(readFileSync(join(consumer.installed, "package.json"), "utf8"));
  for (const kind of ["dependencies", "optionalDependencies", "bundledDependencies"]) {
    expect(manifest[kind] ?? {}).toEqual({});
  }
  // Of an application that has them, `seawall/opentelemetry` and `seawall/openfeature` use its own; nobody gets them for our sake.
  const peers = ["@openfeature/server-sdk", "@opentelemetry/api"];
  expect(Object.keys(manifest.peerDependencies).sort()).toEqual(peers);
  expect(manifest.peerDependenciesMeta).toEqual(Object.fromEntries(peers.map((name) => [name, { optional: true }])));
  expect(manifest.scripts ?? {}).toEqual({});
  expect(readdirSync(join(consumer.folder, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
    "seawall",
  ]);
});

it("H182: names no folder of the machine that built it", () => {
  const folders = [ROOT, homedir(), ...(process.env.CARGO_HOME ? [process.env.CARGO_HOME] : [])];
  for (const file of consumer.files) {
    const text = readFileSync(join(consumer.installed, file), "latin1");
    for (const folder of folders) expect(text.includes(`${folder}/`), `${file} names ${folder}`).toBe(false);
    expect(text, file).not.toMatch(/\/(home|Users)\/\w+\/|[A-Z]:\\\\?Users/);
  }
});

it(`the core takes at most ${CORE_GZIP_MAX / 1_000} KB, compressed`, () => {
  const core = readFileSync(join(consumer.installed, "dist/core.wasm"));
  expect(gzipSync(core, { level: 9 }).length).toBeLessThanOrEqual(CORE_GZIP_MAX);
});

it("publint finds nothing", async () => {
  const { messages } = await publint({ pkgDir: consumer.installed, pack: false, strict: true });
  expect(messages).toEqual([]);
});

it("the types are right for every way of importing them", async () => {
  const attw = join(ROOT, "node_modules/@arethetypeswrong/cli/dist/index.js");
  const printed = await run(process.execPath, [attw, consumer.tarball, "--format", "json"], consumer.folder);
  expect(JSON.parse(printed).analysis.problems).toEqual([]);
});
