// Files in a folder: for processes of one machine, or of several that mount the same folder.
//
// A write makes a file beside the old one and renames it, so that a reader sees the one or the other. Writes of one key
// take turns by a lock file; one that its owner left behind is taken away after ten seconds.

import { randomUUID } from "node:crypto";
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { timeoutOf } from "./checks.ts";
import { demandFolder, nameOf, nothing } from "./file-names.ts";
import type { Store } from "./store.ts";

export { strongFileStore } from "./strong-file.ts";

interface Kept {
  key: string;
  text: string;
  untilMs: number;
}

/** A lock that is older was left behind, in milliseconds: what is done under it takes a few. */
const LOCK_STALE_MS = 10_000;
/** Between two tries for a lock, at most, in milliseconds. */
const LOCK_POLL_MS = 8;

/**
 * Makes a store of a folder, which is created when the first text is put.
 *
 * @param folder Its path. Nothing else should be in it.
 * @param options.timeout Milliseconds that a write waits for its turn; 2000 by default.
 * @throws TypeError when `folder` is no path.
 */
export function fileStore(folder: string, options: { timeout?: number } = {}): Store {
  demandFolder(folder, "fileStore");
  const timeout = timeoutOf(options.timeout, "fileStore");
  const pathOf = (key: string) => join(folder, nameOf(key, ".json"));
  const find = async (key: string) => textOf(await read(pathOf(key)), key);
  return {
    name: "file",
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true },
    get: find,
    put: (key, text, ttlSeconds) =>
      locked(pathOf(key), folder, timeout, (isMine) => write(pathOf(key), keptOf(key, text, ttlSeconds), isMine)),
    compareAndSet: (key, expected, text, ttlSeconds) =>
      locked(pathOf(key), folder, timeout, async (isMine) => {
        if ((await find(key)) !== expected) return false;
        await write(pathOf(key), keptOf(key, text, ttlSeconds), isMine);
        return true;
      }),
    async list(prefix) {
      const names = await readdir(folder).catch(nothing);
      const files = (names ?? []).filter((name) => name.endsWith(".json"));
      const found = await Promise.all(files.map((name) => read(join(folder, name))));
      const isAsked = (kept: Kept | null) => kept?.key.startsWith(prefix) && textOf(kept, kept.key) !== null;
      return found
        .filter(isAsked)
        .map((kept) => (kept as Kept).key)
        .sort();
    },
  };
}

/** What is in a file; null when there is none. Another program's file is nothing of ours either. */
async function read(path: string): Promise<Kept | null> {
  const text = await readFile(path, "utf8").catch(nothing);
  if (text === null) return null;
  try {
    const kept = JSON.parse(text);
    return typeof kept?.key === "string" && typeof kept.text === "string" ? kept : null;
  } catch {
    return null;
  }
}

async function write(path: string, kept: Kept, isMine: () => Promise<boolean>): Promise<void> {
  const fresh = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(fresh, JSON.stringify(kept), { mode: 0o600 });
    if (!(await isMine())) throw new Error("the file store lost its lock: this process stood still for too long");
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** Does `work` while no other process writes the same file. */
async function locked<T>(
  path: string,
  folder: string,
  timeout: number,
  work: (isMine: () => Promise<boolean>) => Promise<T>,
): Promise<T> {
  const lock = `${path}.lock`;
  const mine = randomUUID();
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const limit = Date.now() + timeout;
  while (!(await taken(lock, mine))) {
    if (Date.now() > limit) throw new Error(`the file store did not get its lock within ${timeout} ms`);
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * LOCK_POLL_MS));
  }
  const isMine = async () => (await readFile(lock, "utf8").catch(nothing)) === mine;
  try {
    return await work(isMine);
  } finally {
    if (await isMine()) await rm(lock, { force: true });
  }
}

/** Tries once to make the lock file. A lock that was left behind is taken away first. */
async function taken(lock: string, mine: string): Promise<boolean> {
  try {
    await writeFile(lock, mine, { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
  const owner = await readFile(lock, "utf8").catch(nothing);
  const found = await stat(lock).catch(nothing);
  if (found === null || Date.now() - found.mtimeMs < LOCK_STALE_MS) return false;
  // Whoever renames it has it alone. If it is a newer one by now, it goes back to its owner.
  const aside = `${lock}.${mine}`;
  await rename(lock, aside).catch(nothing);
  if ((await readFile(aside, "utf8").catch(nothing)) !== owner) await link(aside, lock).catch(nothing);
  await rm(aside, { force: true });
  return false;
}

function textOf(kept: Kept | null, key: string): string | null {
  return kept !== null && kept.key === key && Date.now() < kept.untilMs ? kept.text : null;
}

function keptOf(key: string, text: string, ttlSeconds: number): Kept {
  return { key, text, untilMs: Date.now() + Math.round(ttlSeconds * 1_000) };
}
