import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { subjects } from "../contract/subjects.ts";

const require = createRequire(import.meta.url);
const typescript = require("typescript/package.json") as { bin: { tsc: string } };
const compiler = join(dirname(require.resolve("typescript/package.json")), typescript.bin.tsc);

/** What the compiler says about a project, empty if all is well. */
function complaints(project: string): Promise<string> {
  return new Promise((resolve) => {
    const args = [compiler, "--noEmit", "--pretty", "false", "-p", join(import.meta.dirname, project)];
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve(error === null ? "" : `${stdout}${stderr}` || String(error));
    });
  });
}

test.each(subjects.map(({ name }) => name))("%s: the public types compile", { timeout: 60_000 }, async (name) => {
  expect(await complaints(`tsconfig.${name}.json`)).toBe("");
});
