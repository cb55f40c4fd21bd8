// `npm run demo -- --script` tells its story, and leaves nothing behind.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** A place of its own for temporary folders, to see what is left there. */
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "seawall-demo-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  status: number | null;
  output: string;
}

/** Runs the demo; once it has printed `after`, does `then`. */
function demo(args: string[], after?: string, then?: (child: ChildProcess) => unknown): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["scripts/demo.mjs", ...args], {
      cwd: ROOT,
      env: { ...process.env, TMPDIR: folder },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let output = "";
    const take = (chunk: Buffer) => {
      const isFirst = after !== undefined && !output.includes(after);
      output += chunk;
      if (isFirst && output.includes(after)) then?.(child);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", reject);
    child.once("close", (status) => resolve({ status, output }));
  });
}

it.each(["kill", "slow", "503"])("tells the story of a database that breaks by %s", async (how) => {
  const { status, output } = await demo(["--script", `--break=${how}`]);
  expect(status, output).toBe(0);
  expect(output).not.toContain("FAIL");
  expect(output).toMatch(/(\d) of \1 acts happened/);
  expect(readdirSync(folder)).toEqual([]);
});

it("leaves no server, no workerd and no folder when it is interrupted", async () => {
  const { status, output } = await demo(["--script", "--break=slow"], "isolate a serves", (child) =>
    child.kill("SIGINT"),
  );
  expect(status, output).toBe(130);
  // Its children hold the other end of its output: it is closed, so they have ended.
  expect(readdirSync(folder)).toEqual([]);
});

it("does by hand what the keys say", async () => {
  const { status, output } = await demo([], "q  quit", (child) => child.stdin?.write("kmnq"));
  expect(status, output).toBe(0);
  expect(output).toMatch(/killed.*mended.*isolate b is new/s);
  expect(readdirSync(folder)).toEqual([]);
});

it("says what it does not understand", async () => {
  const { status, output } = await demo(["--brake=kill"]);
  expect(status).toBe(1);
  expect(output).toContain("--break=kill|slow|503");
});
