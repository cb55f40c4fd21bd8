// Every snippet of the README does what it says: on the built package, and against a real server.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Sqld, startSqld } from "../support/sqld.mjs";
import { type Snippet, scriptsNamed, snippetsOf } from "./snippets.ts";

const ROOT = join(import.meta.dirname, "../..");
const LANGUAGES = ["diff", "sh", "js", "ts"];
/** What `wrangler types` writes for a Worker with the bindings that the README names. */
const BINDINGS = `declare namespace Cloudflare {
  interface Env {
    SEAWALL_KV: KVNamespace;
    TURSO_DATABASE_URL: string;
    TURSO_AUTH_TOKEN: string;
  }
}
`;
/** A snippet that has nothing left to do ends by itself; this is long after. */
const RUN_LIMIT_MS = 20_000;

const readme = readFileSync(join(ROOT, "README.md"), "utf8");
const snippets = snippetsOf(readme);
/** Other pages whose TypeScript must compile. */
const PAGES = ["docs/stores.md"];
const scripts = Object.keys(JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).scripts);

const require = createRequire(import.meta.url);
const typescript = require("typescript/package.json") as { bin: { tsc: string } };
const compiler = join(dirname(require.resolve("typescript/package.json")), typescript.bin.tsc);

let server: Sqld;
/** Inside the repository, so that `seawall` is found as a user's project finds it. */
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(import.meta.dirname, ".snippets-"));
  server = await startSqld();
});

afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await server?.stop();
});

/** Runs a program with the given environment and nothing else of ours. */
function run(args: string[], environment: Record<string, string> = {}) {
  const { PATH = "", HOME = "" } = process.env;
  return new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      env: { PATH, HOME, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: RUN_LIMIT_MS,
    });
    const output = { stdout: "", stderr: "" };
    child.stdout.on("data", (chunk) => {
      output.stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      output.stderr += chunk;
    });
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, ...output }));
  });
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}

/** The snippets of one language. */
function written(language: string): { snippet: Snippet }[] {
  return snippets.filter((snippet) => snippet.language === language).map((snippet) => ({ snippet }));
}

test("every snippet is in a language that is checked here", () => {
  const unknown = snippets.filter(({ language }) => !LANGUAGES.includes(language));
  expect(unknown.map(({ language, line }) => `${language || "nothing"} in line ${line}`)).toEqual([]);
  expect(new Set(snippets.map(({ language }) => language))).toEqual(new Set(LANGUAGES));
});

test.each(written("js"))(
  "js, line $snippet.line: runs against a real server, prints, and ends",
  async ({ snippet }) => {
    const file = write(`line-${snippet.line}.mjs`, snippet.text);
    const { status, stdout, stderr } = await run([file], { TURSO_DATABASE_URL: server.url });
    expect(stderr).toBe("");
    expect(status, "the exit status; null means that it did not end").toBe(0);
    expect(stdout.trim()).not.toMatch(/^(undefined|null|)$/);
  },
);

test("js: the first snippet prints what its query asks for", async () => {
  const [first] = written("js");
  const file = write("first.mjs", first?.snippet.text ?? "");
  const { stdout } = await run([file], { TURSO_DATABASE_URL: server.url });
  expect(stdout).toBe("safe behind the wall\n");
});

test("ts: every snippet compiles against the package's types", async () => {
  const files = written("ts").map(({ snippet }) => write(`line-${snippet.line}.ts`, snippet.text));
  for (const [number, page] of PAGES.entries()) {
    const all = snippetsOf(readFileSync(join(ROOT, page), "utf8"));
    expect(["ts", "sh", "toml"], page).toEqual(expect.arrayContaining(all.map(({ language }) => language)));
    const found = all.filter(({ language }) => language === "ts");
    expect(found.length, page).toBeGreaterThan(0);
    files.push(...found.map(({ line, text }) => write(`page-${number}-line-${line}.ts`, text)));
  }
  const project = write(
    "tsconfig.json",
    JSON.stringify({
      extends: "../../../tsconfig.base.json",
      compilerOptions: { noEmit: true, types: ["node", "@cloudflare/workers-types"], lib: ["ES2022"] },
      files: [...files, write("bindings.d.ts", BINDINGS)],
    }),
  );
  const { status, stdout } = await run([compiler, "--pretty", "false", "-p", project]);
  expect(stdout).toBe("");
  expect(status).toBe(0);
});

test.each(written("sh"))("sh, line $snippet.line: every line runs an npm script that exists", ({ snippet }) => {
  const commands = snippet.text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "");
  expect(commands.length).toBeGreaterThan(0);
  for (const command of commands) {
    expect(scriptsNamed(command), command).toHaveLength(1);
    expect(scripts).toContain(scriptsNamed(command)[0]);
  }
});

test("every npm script that the text names exists", () => {
  expect(scriptsNamed(readme).filter((name) => !scripts.includes(name))).toEqual([]);
});

test.each(written("diff"))("diff, line $snippet.line: the added line stands in a snippet that runs", ({ snippet }) => {
  const added = snippet.text.split("\n").filter((line) => line.startsWith("+"));
  expect(added.length).toBeGreaterThan(0);
  const code = written("js").flatMap(({ snippet }) => snippet.text.split("\n"));
  for (const line of added) expect(code).toContain(line.slice(1).trim());
});
