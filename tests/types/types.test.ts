import { execFile } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve as resolvePath } from "node:path";
import { flagTypes } from "seawall/flags";
import { expect, test } from "vitest";
import { subjects } from "../contract/subjects.ts";

const require = createRequire(import.meta.url);
const typescript = require("typescript/package.json") as { bin: { tsc: string } };
const compiler = join(dirname(require.resolve("typescript/package.json")), typescript.bin.tsc);

/** What the compiler says about a project, empty if all is well. */
function complaints(project: string): Promise<string> {
  return new Promise((resolve) => {
    const args = [compiler, "--noEmit", "--pretty", "false", "-p", resolvePath(import.meta.dirname, project)];
    execFile(process.execPath, args, (error, stdout, stderr) => {
      resolve(error === null ? "" : `${stdout}${stderr}` || String(error));
    });
  });
}

test.each(subjects.map(({ name }) => name))("%s: the public types compile", { timeout: 60_000 }, async (name) => {
  expect(await complaints(`tsconfig.${name}.json`)).toBe("");
});

test("keys, kinds and values of flags are the compiler's: right use compiles, and no other", {
  timeout: 60_000,
}, async () => {
  // Within the repository, where packages are found.
  const folder = mkdtempSync(join(import.meta.dirname, "flags-"));
  try {
    for (const name of ["flags.ts", "flags.json"]) copyFileSync(join(import.meta.dirname, name), join(folder, name));
    const config = readFileSync(join(import.meta.dirname, "tsconfig.flags.json"), "utf8");
    writeFileSync(join(folder, "tsconfig.json"), config.replace("../../", "../../../"));
    writeFileSync(join(folder, "app-flags.ts"), flagTypes(readFileSync(join(folder, "flags.json"), "utf8")));
    expect(await complaints(join(folder, "tsconfig.json"))).toBe("");
    // Without one line of the type, its uses do not compile.
    const types = readFileSync(join(folder, "app-flags.ts"), "utf8");
    writeFileSync(join(folder, "app-flags.ts"), types.replace(/^.*"limit".*\n/m, ""));
    expect(await complaints(join(folder, "tsconfig.json"))).toContain(`'"limit"'`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
