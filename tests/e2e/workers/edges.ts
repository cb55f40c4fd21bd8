// What hits a client at the edge of something, as functions that run in Node and, by the handler below, in workerd.
import type { SeawallClient } from "../../../js/src/client.ts";

/** What the tests look at of a client's status. */
export interface Ended {
  /** Calls by how they ended: `ok`, or a code. */
  ended: Record<string, number>;
  borrowed: number;
  leaked: number;
  pending: number;
  running: number;
}

async function statusAfter(db: SeawallClient, calls: Promise<unknown>[]): Promise<Ended> {
  const ended: Record<string, number> = {};
  for (const call of await Promise.allSettled(calls)) {
    const code = call.status === "fulfilled" ? "ok" : String((call.reason as { code?: string }).code);
    ended[code] = (ended[code] ?? 0) + 1;
  }
  const { pool, running } = db.seawall.status();
  return { ended, borrowed: pool.borrowed, leaked: pool.leaked, pending: pool.pending, running };
}

/** Asks so often at once. */
export function herd(db: SeawallClient, size: number): Promise<Ended> {
  return statusAfter(
    db,
    Array.from({ length: size }, () => db.execute("SELECT 1")),
  );
}

/**
 * Lets each of so many callers wait for the one lease, and aborts it so many turns of the microtask queue after the one
 * before it came back: before the lease is granted, in the turn in which it is, and after it.
 */
export async function abortAtGrant(db: SeawallClient, turns: number): Promise<Ended> {
  const calls: Promise<unknown>[] = [];
  for (let turn = 0; turn < turns; turn += 1) {
    const controller = new AbortController();
    const holder = db.execute("SELECT 1");
    const statement = { sql: "SELECT 2", seawall: { signal: controller.signal } };
    const waiter = db.execute(statement);
    const aborted = holder.then(async () => {
      for (let left = turn; left > 0; left -= 1) await undefined;
      controller.abort();
    });
    calls.push(holder, waiter);
    await Promise.allSettled([aborted, waiter]);
  }
  return statusAfter(db, calls);
}

/** Commits one row, and says what came of it. */
export async function commitOnce(db: SeawallClient, id: string): Promise<{ code?: string; outcome?: string }> {
  const transaction = await db.transaction("write");
  try {
    await transaction.execute({ sql: "INSERT INTO writes (id) VALUES (?)", args: [id] });
    await transaction.commit();
    return {};
  } catch (error) {
    const { code, outcome } = error as { code?: string; outcome?: string };
    return { ...(code !== undefined && { code }), ...(outcome !== undefined && { outcome }) };
  } finally {
    transaction.close();
  }
}

/** Does what a path says: `/herd?n=`, `/abort?n=`, `/commit?id=`, or else tells the status. */
export function answerOf(db: SeawallClient, { pathname, searchParams }: URL): Promise<unknown> | unknown {
  const n = Number(searchParams.get("n"));
  if (pathname === "/herd") return herd(db, n);
  if (pathname === "/abort") return abortAtGrant(db, n);
  if (pathname === "/commit") return commitOnce(db, searchParams.get("id") ?? "");
  return db.seawall.status();
}
