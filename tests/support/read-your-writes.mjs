// Pairs of a write and the read right after it, on a real primary and a real replica: who sees their own writes?
import { createClient as plainClient } from "@libsql/client/web";
import { createClient } from "../../js/dist/index.js";

/**
 * What one client met: `stale` reads of `pairs`, and the times of its reads in milliseconds.
 *
 * @typedef {{ pairs: number, stale: number, readMs: number[] }} Tally
 * @typedef {{ write(value: number): Promise<unknown>, read(): Promise<number>, close(): void }} Pair
 */

const UPSERT = "INSERT INTO own_writes VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET value = excluded.value";
const SELECT = "SELECT value FROM own_writes WHERE id = 1";
/** Both addresses are one database, so a token of one is good for the other. */
const NAME = "own-writes";

/** @param {import("./replicas.mjs").Replicated} servers */
export async function prepareOwnWrites(servers) {
  const client = plainClient({ url: servers.primary.url, intMode: "number" });
  await client.execute("CREATE TABLE IF NOT EXISTS own_writes (id INTEGER PRIMARY KEY, value INTEGER)");
  client.close();
  await servers.caughtUp();
}

/** A client of ours. @param {string} url @param {import("../../js/dist/index.js").SeawallOptions} [options] */
export function ours(url, options = {}) {
  return createClient({ url, seawall: { ...options, consistency: { database: NAME, ...options.consistency } } });
}

/** `@libsql/client`. @param {string} writeUrl @param {string} readUrl @returns {Pair} */
export function plainPair(writeUrl, readUrl) {
  const [writer, reader] = [plainClient({ url: writeUrl }), plainClient({ url: readUrl })];
  return {
    write: (value) => writer.execute({ sql: UPSERT, args: [BigInt(value)] }),
    read: async () => Number((await reader.execute(SELECT)).rows[0]?.value),
    close() {
      writer.close();
      reader.close();
    },
  };
}

/** Ours. With two addresses a token goes from one client to the other. @param {string} writeUrl @param {string} readUrl @returns {Pair} */
export function ourPair(writeUrl, readUrl) {
  const writer = ours(writeUrl);
  const reader = writeUrl === readUrl ? writer : ours(readUrl);
  return {
    write: (value) => writer.execute({ sql: UPSERT, args: [BigInt(value)] }),
    async read() {
      const own = reader === writer ? {} : { seawall: { consistencyToken: writer.seawall.consistencyToken() } };
      return Number((await reader.execute({ sql: SELECT, ...own })).rows[0]?.value);
    },
    close() {
      writer.close();
      reader.close();
    },
  };
}

/**
 * Runs `pairs` writes and reads on each, in turn, so that both meet the same servers.
 *
 * @param {Pair[]} subjects
 * @param {number} pairs
 * @returns {Promise<Tally[]>}
 */
export async function countStale(subjects, pairs) {
  const tallies = subjects.map(() => ({ pairs, stale: 0, readMs: /** @type {number[]} */ ([]) }));
  let value = 0;
  for (let i = 0; i < pairs; i++) {
    for (const [at, subject] of subjects.entries()) {
      const tally = /** @type {Tally} */ (tallies[at]);
      value += 1;
      await subject.write(value);
      const began = performance.now();
      if ((await subject.read()) !== value) tally.stale += 1;
      tally.readMs.push(performance.now() - began);
    }
  }
  for (const subject of subjects) subject.close();
  return tallies;
}

/** The time that a share of the reads did not exceed. @param {Tally} tally @param {number} share */
export function quantile({ readMs }, share) {
  const sorted = readMs.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
