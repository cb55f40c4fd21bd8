// Files in a folder: for processes of one machine, or of several that mount the same folder.
//
// A write makes a file beside the old one and renames it, so that a reader sees the one or the other. Writes of one key
// take turns by a lock file; one that its owner left behind is taken away after ten seconds.

import { createHash, randomUUID } from "node:crypto";
import { link, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kindOf, timeoutOf } from "./checks.ts";
import { underLock } from "./file-lock.ts";
import type { Store } from "./store.ts";
import type { StrongStore } from "./strong.ts";

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

/**
 * Makes a strong store of a folder on a local disk, for the processes of one machine. It is created when the first text is
 * put. Each text is on the disk before its swap is done.
 *
 * @param folder Its path. Nothing else should be in it, and no store of hints.
 * @param options.timeout Milliseconds that a swap waits for its turn; 2000 by default.
 * @throws TypeError when `folder` is no path.
 */
export function strongFileStore(folder: string, options: { timeout?: number } = {}): StrongStore {
  demandFolder(folder, "strongFileStore");
  const timeout = timeoutOf(options.timeout, "strongFileStore");
  const pathOf = (key: string) => join(folder, nameOf(key, STRONG));
  const find = async (key: string) => {
    const kept = await readWhole(pathOf(key));
    if (kept !== null && kept.key !== key) throw new Error(`the file store found another key in ${pathOf(key)}`);
    return kept?.text ?? null;
  };
  return {
    name: "file",
    read: find,
    async swap(key, expected, text) {
      const path = pathOf(key);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      // Who has lost already need not wait for a turn.
      if ((await find(key)) !== expected) return false;
      return underLock(`${path}.lock`, timeout, async () => {
        if ((await find(key)) !== expected) return false;
        if (text === null) await rm(path, { force: true });
        else await writeDurably(path, JSON.stringify({ key, text } satisfies StrongText));
        await synced(folder);
        return true;
      });
    },
    async list(prefix) {
      const names = ((await readdir(folder).catch(nothing)) ?? []).filter((name) => name.endsWith(STRONG));
      const found = await Promise.all(names.map((name) => readWhole(join(folder, name))));
      return found.flatMap((kept) => (kept?.key.startsWith(prefix) ? [kept.key] : [])).sort();
    },
  };
}

/** What a file of the strong store holds. */
interface StrongText {
  key: string;
  text: string;
}

/** The end of those files' names. */
const STRONG = ".strong";

/** What is in a file of the strong store; null when there is none. @throws Error when it is damaged. */
async function readWhole(path: string): Promise<StrongText | null> {
  const text = await readFile(path, "utf8").catch(nothing);
  if (text === null) return null;
  let kept: StrongText | undefined;
  try {
    kept = JSON.parse(text);
  } catch {}
  if (typeof kept?.key === "string" && typeof kept.text === "string") return kept;
  throw new Error(`the file store found a damaged file, which it leaves as it is: ${path}`);
}

/** Puts a text into a file that appears whole, and is on the disk then. What a dead writer left is written over. */
async function writeDurably(path: string, text: string): Promise<void> {
  const fresh = `${path}.tmp`;
  const file = await open(fresh, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

/** The names in a folder are on the disk as well. Windows opens no folders, and writes names at once. */
async function synced(folder: string): Promise<void> {
  const names = await open(folder, "r").catch(() => null);
  try {
    await names?.sync().catch(() => {});
  } finally {
    await names?.close();
  }
}

function demandFolder(folder: unknown, caller: string): void {
  if (typeof folder !== "string" || folder === "") {
    throw new TypeError(`${caller} needs the path of a folder; it got ${kindOf(folder)}.`);
  }
}

/** Names are hashes: keys hold characters that file systems do not take, and some of those ignore case. */
function nameOf(key: string, end: string): string {
  return `${createHash("sha256").update(key).digest("hex").slice(0, 40)}${end}`;
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

/** For what may be missing. @throws Anything else. */
function nothing(error: { code?: string }): null {
  if (error.code === "ENOENT" || error.code === "EEXIST") return null;
  throw error;
}

function textOf(kept: Kept | null, key: string): string | null {
  return kept !== null && kept.key === key && Date.now() < kept.untilMs ? kept.text : null;
}

function keptOf(key: string, text: string, ttlSeconds: number): Kept {
  return { key, text, untilMs: Date.now() + Math.round(ttlSeconds * 1_000) };
}
