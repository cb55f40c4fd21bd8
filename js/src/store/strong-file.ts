// Orders and records in files of a folder, for processes of one machine.
//
// Each text is a file that appears whole. A swap of several writes first down in a journal what it will do, and that file
// appears whole as well: from then on it is done, and who finds the journal reads what it says, or finishes it. Writers take
// turns by a lock; who reads one text needs none.

import { mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { timeoutOf } from "./checks.ts";
import { underLock } from "./file-lock.ts";
import { demandFolder, nameOf, nothing } from "./file-names.ts";
import { type Change, checkChanges, type StrongStore } from "./strong.ts";

/** What a file holds. */
interface Kept {
  key: string;
  text: string;
}

/** What a journal says: what is there afterwards. */
type Journal = { key: string; text: string | null }[];

/** The end of those files' names. */
const END = ".strong";
const JOURNAL = "journal";
const LOCK = "lock";

/**
 * Makes a strong store of a folder on a local disk, for the processes of one machine. It is created when the first text is
 * put. What a swap has written is on the disk before the swap is done.
 *
 * @param folder Its path. Nothing else should be in it, and no store of hints.
 * @param options.timeout Milliseconds that a swap waits for its turn; 2000 by default.
 * @throws TypeError when `folder` is no path.
 */
export function strongFileStore(folder: string, options: { timeout?: number } = {}): StrongStore {
  demandFolder(folder, "strongFileStore");
  const files = new Files(folder, timeoutOf(options.timeout, "strongFileStore"));
  return {
    name: "file",
    read: (key) => files.read(key),
    async swap(changes) {
      checkChanges(changes);
      return files.swap(changes);
    },
    list: (prefix) => files.list(prefix),
  };
}

class Files {
  readonly #folder: string;
  readonly #timeout: number;
  readonly #journal: string;

  constructor(folder: string, timeout: number) {
    this.#folder = folder;
    this.#timeout = timeout;
    this.#journal = join(folder, JOURNAL);
  }

  /** What the last swap has left, also one that is not finished: the journal is looked at before the file. */
  async read(key: string): Promise<string | null> {
    const told = (await this.#unfinished())?.find((entry) => entry.key === key);
    return told === undefined ? this.#find(key) : told.text;
  }

  async swap(changes: readonly Change[]): Promise<boolean> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    // Who has lost already need not wait for a turn.
    if (!(await this.#holds(changes))) return false;
    return this.#inTurn(async () => {
      if (!(await this.#holds(changes))) return false;
      const [only, ...others] = changes;
      if (only !== undefined && others.length === 0) await this.#apply([only]);
      else await this.#applyAll(changes.map(({ key, text }) => ({ key, text })));
      return true;
    });
  }

  /** In turn, so that it finds no half of a swap. */
  async list(prefix: string): Promise<string[]> {
    if ((await readdir(this.#folder).catch(nothing)) === null) return [];
    return this.#inTurn(async () => {
      const names = (await readdir(this.#folder)).filter((name) => name.endsWith(END));
      const found = await Promise.all(names.map((name) => readWhole(join(this.#folder, name), asKept)));
      return found.flatMap((kept) => (kept?.key.startsWith(prefix) ? [kept.key] : [])).sort();
    });
  }

  /** Does `work` while nobody else writes, and after what a dead writer has left was finished. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return underLock(join(this.#folder, LOCK), this.#timeout, async () => {
      const left = await this.#unfinished();
      if (left !== null) await this.#finish(left);
      return work();
    });
  }

  async #holds(changes: readonly Change[]): Promise<boolean> {
    for (const { key, expected } of changes) if ((await this.read(key)) !== expected) return false;
    return true;
  }

  async #applyAll(journal: Journal): Promise<void> {
    await writeDurably(this.#journal, JSON.stringify(journal));
    await synced(this.#folder);
    await this.#finish(journal);
  }

  async #finish(journal: Journal): Promise<void> {
    await this.#apply(journal);
    await rm(this.#journal, { force: true });
    await synced(this.#folder);
  }

  async #apply(journal: Journal): Promise<void> {
    for (const { key, text } of journal) {
      const path = this.#pathOf(key);
      if (text === null) await rm(path, { force: true });
      else await writeDurably(path, JSON.stringify({ key, text } satisfies Kept));
    }
    await synced(this.#folder);
  }

  #unfinished(): Promise<Journal | null> {
    return readWhole(this.#journal, asJournal);
  }

  async #find(key: string): Promise<string | null> {
    const kept = await readWhole(this.#pathOf(key), asKept);
    if (kept !== null && kept.key !== key) throw new Error(`the file store found another key in ${this.#pathOf(key)}`);
    return kept?.text ?? null;
  }

  #pathOf(key: string): string {
    return join(this.#folder, nameOf(key, END));
  }
}

/** What is in a file; null when there is none. @throws Error when it is damaged. */
async function readWhole<T>(path: string, as: (found: unknown) => T | undefined): Promise<T | null> {
  const text = await readFile(path, "utf8").catch(nothing);
  if (text === null) return null;
  let found: T | undefined;
  try {
    found = as(JSON.parse(text));
  } catch {}
  if (found !== undefined) return found;
  throw new Error(`the file store found a damaged file, which it leaves as it is: ${path}`);
}

function asKept(found: unknown): Kept | undefined {
  const { key, text } = found as Partial<Kept>;
  return typeof key === "string" && typeof text === "string" ? { key, text } : undefined;
}

function asJournal(found: unknown): Journal | undefined {
  const isEntry = ({ key, text }: Partial<Journal[number]>) =>
    typeof key === "string" && (text === null || typeof text === "string");
  return Array.isArray(found) && found.every(isEntry) ? found : undefined;
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
