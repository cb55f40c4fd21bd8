// A process that writes version after version into a strong store, each into several keys at once, until it is killed.
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StrongStore } from "../../js/src/store/strong.ts";
import { bundleProgram } from "./program.ts";

/** How such a process reaches the store. */
export interface WriterProgram {
  /** Imports of the program, by paths below tests/stores. */
  imports: string;
  /** An expression that is the store, or the promise of it. */
  store: string;
}

const TOLD_LIMIT_MS = 30_000;

export interface Writer {
  /** Kills the process at once when it has told of this version or a later one; gives the last that it told of. */
  killAfter(version: number): Promise<number>;
}

/** Keys that a writer writes at once: two have the same text, the third is there where the version is odd. */
function keysOf(key: string): { twin: string; odd: string } {
  return { twin: `${key}/twin`, odd: `${key}/odd` };
}

/**
 * The version that a dead writer has left under all of its keys, 0 if none.
 *
 * @throws Error when it has left half of one.
 */
export async function versionLeft(store: StrongStore, key: string): Promise<number> {
  const { twin, odd } = keysOf(key);
  for (;;) {
    const text = await store.read(key);
    const others = [await store.read(twin), await store.read(odd)];
    // What it asked for last may be done only now.
    if ((await store.read(key)) !== text) continue;
    const version = Number.parseInt(text ?? "0", 10);
    const whole = version === 0 ? null : `${version}:${`${version},`.repeat(2_000)}`;
    if (text === whole && others[0] === whole && others[1] === (version % 2 === 1 ? String(version) : null))
      return version;
    throw new Error(`half of version ${version}: ${JSON.stringify([text, ...others]).slice(0, 200)}`);
  }
}

/** Starts a process that writes to `key`: `1:1,1,…`, `2:2,2,…`; each is told of when its swap is done. */
export async function startWriter({ imports, store }: WriterProgram, key: string): Promise<Writer> {
  const folder = await mkdtemp(join(tmpdir(), "seawall-writer-"));
  const outfile = join(folder, "writer.mjs");
  await bundleProgram(
    `
        ${imports}
        import { writeSync } from "node:fs";
        const key = ${JSON.stringify(key)};
        const { twin, odd } = ${JSON.stringify(keysOf(key))};
        const store = await ${store};
        for (;;) {
          const text = await store.read(key);
          const version = Number.parseInt(text ?? "0", 10) + 1;
          const next = version + ":" + (version + ",").repeat(2000);
          const changes = [
            { key, expected: text, text: next },
            { key: odd, expected: version % 2 ? null : String(version - 1), text: version % 2 ? String(version) : null },
            { key: twin, expected: text, text: next },
          ];
          if (await store.swap(changes)) writeSync(1, version + "\\n");
        }`,
    outfile,
  );
  const child = spawn(process.execPath, [outfile], { stdio: ["ignore", "pipe", "pipe"] });
  return { killAfter: (version) => killAfter(child, version).finally(() => rm(folder, { recursive: true })) };
}

async function killAfter(child: ChildProcess, version: number): Promise<number> {
  let told = "";
  let log = "";
  child.stderr?.on("data", (chunk) => {
    log = (log + chunk).slice(-4_000);
  });
  const last = () => Number(told.split("\n").at(-2) ?? 0);
  const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
  const limit = setTimeout(() => child.kill("SIGKILL"), TOLD_LIMIT_MS);
  child.stdout?.on("data", (chunk) => {
    told += chunk;
    if (last() >= version) child.kill("SIGKILL");
  });
  await ended;
  clearTimeout(limit);
  if (last() < version) throw new Error(`the writer ended at version ${last()}:\n${log}`);
  return last();
}
