// What is in the tarball, and what is not.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
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

it("holds the entries, the core, the declarations, a readme and both licences, and no sources", () => {
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
      "dist/records/003_add_multi_database_support.sql",
      "dist/records/index.js",
      "dist/workerd.js",
      "package.json",
    ]),
  );
  const others = consumer.files.filter((path) => !/^(package\.json|README\.md|LICENSE-\w+|dist\/)/.test(path));
  expect(others).toEqual([]);
  expect(consumer.files.filter((path) => /(^|[^d])\.ts$|\.map$|generated/.test(path))).toEqual([]);
});

it("every path that package.json names is there", () => {
  const { bin, exports, main, module, types } = JSON.parse(
    readFileSync(join(consumer.installed, "package.json"), "utf8"),
  );
  const named = JSON.stringify([bin, exports, main, module, types]).match(/\.\/[^"]+\.[^"]+/g) ?? [];
  const targets = named.filter((path) => path.startsWith("./dist/"));
  expect(targets.length).toBeGreaterThan(5);
  expect(targets.filter((path) => !existsSync(join(consumer.installed, path)))).toEqual([]);
});

it("installs nothing else", () => {
  const manifest = JSON.parse(readFileSync(join(consumer.installed, "package.json"), "utf8"));
  for (const kind of ["dependencies", "optionalDependencies", "bundledDependencies"]) {
    expect(manifest[kind] ?? {}).toEqual({});
  }
  // Of an application that has it, `seawall/opentelemetry` uses its own; nobody gets it for our sake.
  expect(manifest.peerDependencies).toEqual({ "@opentelemetry/api": expect.any(String) });
  expect(manifest.peerDependenciesMeta).toEqual({ "@opentelemetry/api": { optional: true } });
  expect(manifest.scripts ?? {}).toEqual({});
  expect(readdirSync(join(consumer.folder, "node_modules")).filter((name) => !name.startsWith("."))).toEqual([
    "seawall",
  ]);
});

it("names no folder of the machine that built it", () => {
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
