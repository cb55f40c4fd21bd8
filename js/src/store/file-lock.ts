// Locks between processes of one machine that are never taken from an owner who lives.
//
// A lock that is stolen after a while lets two write at once, when its owner only stood still. Here it is taken from the
// dead alone: the lock file names a process, and who finds that process gone takes it away. Two who find it gone at once
// settle by a lock of their own, which is named after the dead owner: each of those names is used for one owner only.

import { createHash, randomUUID } from "node:crypto";
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { resolve as absolute } from "node:path";

/** Who holds a lock. */
interface Owner {
  id: string;
  pid: number;
  host: string;
  /** When that process began, as the system tells it: a number is given to another process later. */
  began: string;
}

/** Between two tries for a lock, at most, in milliseconds. */
const POLL_MS = 8;

/** What each lock's last user in this process ends with: they take turns here, and only processes meet at the file. */
const turns = new Map<string, Promise<void>>();

/**
 * Does `work` while nobody else does work under the same lock.
 *
 * @param path The lock file: it is there while the lock is held.
 * @throws Error that names the file when the lock was not got within `timeout` ms.
 */
export async function underLock<T>(path: string, timeout: number, work: () => Promise<T>): Promise<T> {
  const limit = Date.now() + timeout;
  const place = absolute(path);
  const before = turns.get(place);
  let end = () => {};
  const turn = new Promise<void>((resolve) => {
    end = resolve;
  });
  turns.set(place, turn);
  try {
    await before;
    return await locked(path, limit, timeout, work);
  } finally {
    end();
    if (turns.get(place) === turn) turns.delete(place);
  }
}

async function locked<T>(path: string, limit: number, timeout: number, work: () => Promise<T>): Promise<T> {
  if (Date.now() > limit) throw new Error(`the file store did not get its lock within ${timeout} ms: ${path}`);
  const mine: Owner = { id: randomUUID(), pid: process.pid, host: hostname(), began: await beginOf(process.pid) };
  await acquire(path, mine, limit, timeout);
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function acquire(path: string, mine: Owner, limit: number, timeout: number): Promise<void> {
  for (;;) {
    const owner = await ownerOf(path);
    if (owner === null && (await isTaken(path, mine))) return;
    if (owner !== null && (await isDead(owner))) {
      await takeAway(path, owner, mine, limit, timeout);
      continue;
    }
    if (Date.now() > limit) {
      const by = owner === null ? "" : `, which process ${owner.pid} on ${owner.host} holds`;
      throw new Error(
        `the file store did not get its lock within ${timeout} ms: ${path}${by}. If nobody writes, remove that file`,
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * POLL_MS));
  }
}

/** Takes away the lock of a dead owner, unless somebody did. */
async function takeAway(path: string, dead: Owner, mine: Owner, limit: number, timeout: number): Promise<void> {
  const right = `${path}.${createHash("sha256").update(dead.id).digest("hex").slice(0, 16)}`;
  await acquire(right, mine, limit, timeout);
  try {
    // With this right nobody else takes it away, and a dead owner does not: what is there now stays until it is removed.
    if ((await ownerOf(path))?.id === dead.id) await rm(path, { force: true });
  } finally {
    await rm(right, { force: true });
  }
}

/** Tries once. The file is linked and not written, so that nobody finds it without its owner. */
async function isTaken(path: string, mine: Owner): Promise<boolean> {
  const fresh = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(fresh, JSON.stringify(mine), { mode: 0o600 });
    await link(fresh, path);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "EEXIST") throw error;
    return false;
  } finally {
    await rm(fresh, { force: true });
  }
}

/** Who holds a lock; null if nobody does any more. */
async function ownerOf(path: string): Promise<Owner | null> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as Owner;
  } catch {
    return null;
  }
}

/** Whether a process is gone. Of another machine, or container, nobody knows: then it lives. */
async function isDead(owner: Owner): Promise<boolean> {
  if (owner.host !== hostname()) return false;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    return (error as { code?: string }).code === "ESRCH";
  }
  return owner.began !== (await beginOf(owner.pid));
}

/** When a process began, where the system tells it. */
async function beginOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // The second field is a name in parentheses, which may hold anything; the begin is the 22nd.
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}
