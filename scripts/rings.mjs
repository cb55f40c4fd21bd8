// The rings of tests, in the order in which they run: what is quick and says most comes first.
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { ROOT, WASM_TARGET } from "./toolchain.mjs";

/**
 * @typedef {{ passed: number, failed: number }} Count
 * @typedef {{ name: string, what: string, commands(): Command[] }} Ring
 * @typedef {{ command: string, args: string[], cwd?: string, count(output: string, isDone: boolean): Count }} Command
 */

/** A command that passes or fails as a whole. @param {string} command @param {string[]} args @returns {Command} */
function check(command, args) {
  return { command, args, count: (_, isDone) => ({ passed: isDone ? 1 : 0, failed: isDone ? 0 : 1 }) };
}

/** @param {string} path @param {string[]} args @returns {Command} */
function tool(path, args) {
  return check(process.execPath, [join(ROOT, "node_modules", path), ...args]);
}

/** @param {string[]} args @returns {Command} */
function cargoTest(args) {
  return {
    command: "cargo",
    args: ["test", ...args],
    count(output, isDone) {
      const count = { passed: 0, failed: 0 };
      for (const [, passed, failed] of output.matchAll(/^test result: \S+ (\d+) passed; (\d+) failed/gm)) {
        count.passed += Number(passed);
        count.failed += Number(failed);
      }
      // What did not compile has no result line.
      return isDone || count.failed > 0 ? count : { ...count, failed: 1 };
    },
  };
}

/** @param {string} config @returns {Command} */
function vitest(config) {
  const report = join(tmpdir(), `seawall-vitest-${process.pid}.json`);
  return {
    command: process.execPath,
    cwd: dirname(join(ROOT, config)),
    args: [
      join(ROOT, "node_modules/vitest/vitest.mjs"),
      ...["run", "--config", join(ROOT, config), "--reporter=default", "--reporter=json", `--outputFile=${report}`],
    ],
    count(_, isDone) {
      const found = existsSync(report) ? JSON.parse(readFileSync(report, "utf8")) : {};
      rmSync(report, { force: true });
      const passed = found.numPassedTests ?? 0;
      const failed = found.numFailedTests ?? 0;
      // A file that cannot be loaded, and a run without tests, have no failed test.
      return { passed, failed: isDone && passed > 0 ? failed : Math.max(failed, 1) };
    },
  };
}

/** Names of the Rust rings in `tests/` but for one that runs by itself. */
function rustRings() {
  return readdirSync(join(ROOT, "tests"))
    .filter((name) => name !== "tidy" && existsSync(join(ROOT, "tests", name, "main.rs")))
    .sort();
}

const strict = ["--", "-D", "warnings"];

/** @type {Ring[]} */
export const RINGS = [
  { name: "fmt", what: "Rust formatting", commands: () => [check("cargo", ["fmt", "--check"])] },
  {
    name: "biome",
    what: "TypeScript and JavaScript formatting and lints",
    commands: () => [tool("@biomejs/biome/bin/biome", ["check", "--error-on-warnings", "."])],
  },
  {
    name: "clippy",
    what: "Rust lints, for each of the six builds",
    commands: () => [
      check("cargo", ["clippy", "--all-targets", ...strict]),
      ...["bindings", "monitor", "flags", "flag-tools", "worker"].map((feature) =>
        check("cargo", ["clippy", "--lib", "--features", feature, "--target", WASM_TARGET, ...strict]),
      ),
    ],
  },
  { name: "tidy", what: "which room may know what", commands: () => [cargoTest(["--test", "tidy"])] },
  {
    name: "rust",
    what: "the core: rules, behaviour, laws, step stories, generated files",
    commands: () => [cargoTest(["--lib", ...rustRings().flatMap((name) => ["--test", name])]), cargoTest(["--doc"])],
  },
  {
    name: "features",
    what: "each feature of docs/features.md is named by a test",
    commands: () => [check(process.execPath, [join(ROOT, "scripts/features.mjs")])],
  },
  {
    name: "types",
    what: "TypeScript compiles",
    commands: () => PROJECTS.map((project) => tool("typescript/bin/tsc", ["--noEmit", "-p", project])),
  },
  { name: "unit", what: "the client with a fake transport", commands: () => [vitest("js/vitest.config.ts")] },
  {
    name: "contract",
    what: "the same assertions on @libsql/client and on ours; public types",
    commands: () => [vitest("tests/contract/vitest.config.ts")],
  },
  {
    name: "stores",
    what: "one suite for every store of hints, each on the real thing",
    commands: () => [vitest("tests/stores/vitest.config.ts")],
  },
  {
    name: "packaging",
    what: "the packed tarball in its consumers",
    commands: () => [vitest("tests/packaging/vitest.config.ts")],
  },
  { name: "readme", what: "every snippet of the README", commands: () => [vitest("tests/readme/vitest.config.ts")] },
  { name: "e2e", what: "real Workers, a real server", commands: () => [vitest("tests/e2e/vitest.config.ts")] },
];

/** TypeScript projects. Those of `tests/types` are compiled by the contract ring. */
const PROJECTS = [
  "tsconfig.json",
  "js/tsconfig.json",
  "dashboard/tsconfig.json",
  "tests/contract/tsconfig.json",
  "examples/workers/tsconfig.json",
];
