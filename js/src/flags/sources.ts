// Where flags are read without a monitor: a strong store, the database itself, or a cache that orders are put into.

import type { Passenger } from "../hrana/piggyback.ts";
import { hasMethods, kindOf } from "../store/checks.ts";
import { type LibsqlBatchClient, type StrongLibsqlStore, strongLibsqlStore } from "../store/libsql.ts";
import type { Store } from "../store/store.ts";
import type { StrongStore } from "../store/strong.ts";
import {
  CURRENT,
  type FlagOrder,
  type Found,
  HEAD,
  type Held,
  judged,
  keyOf,
  marksOf,
  NAMES,
  type OrderReader,
} from "./orders.ts";
import { byCache, byLooks, byRoundTrips, type Propagation } from "./propagation.ts";

/** The part of a client of ours that flags use, to read what is ordered and to ask with each round trip whether it is newer. */
export interface FlagDatabase extends LibsqlBatchClient {
  readonly seawall: { piggyback(passenger: Passenger): () => void };
}

/** Where flags live; see `FlagsOptions`. */
export interface SourceOptions {
  readonly store?: StrongStore | Store;
  readonly database?: FlagDatabase;
  readonly intervalMs?: number;
  readonly piggybackIntervalMs?: number;
}

/** Somewhere to look. */
export interface Source {
  readonly name: string;
  /** A look is due so long after the one before, in milliseconds. */
  readonly intervalMs: number;
  /** What is read there may be so old, in milliseconds, or older still. */
  readonly lagMs: number;
  readonly propagation: Propagation;
  /** Whether the first look is due at once, and not only when nothing else has told of orders for so long. */
  readonly looksFirst: boolean;
  /** Looks for what is newer than `held`, which is asked once texts are there. */
  look(held: () => Held, nowMs: number): Promise<Found>;
  /** Has `found` told of what others brought along. Returns the end of it. */
  listen?(held: () => Held, now: () => number, found: (found: Found, askedAtMs: number) => void): () => void;
}

/** Two looks a second, as monitors do: a Durable Object's readers hold a kill within one. */
const INTERVAL_STRONG_MS = 500;
/** Where flags come along with round trips, and where a cache has nothing new any sooner, in milliseconds. */
const INTERVAL_RARE_MS = 10_000;
const INTERVALS_MS: Readonly<Record<string, number>> = {
  // Each look is a command that is paid for.
  upstash: 2_000,
  "workers-kv": 30_000,
  "netlify-blobs": 30_000,
  "cache-api": 5_000,
};
const INTERVAL_CACHE_MS = 5_000;
/** One pipeline in a tenth of a second asks for the epoch: see decision 0039. */
const PIGGYBACK_MS = 100;
/** Longest of either. */
const INTERVAL_MAX_MS = 86_400_000;
/** What Workers KV and Netlify Blobs may be behind at least, in milliseconds. */
const LAGS_MS: Readonly<Record<string, number>> = { "workers-kv": 60_000, "netlify-blobs": 60_000 };

/**
 * The source that options say, if they say one.
 *
 * @throws TypeError or RangeError that names the option.
 */
export function sourceOf(
  { store, database, intervalMs, piggybackIntervalMs }: SourceOptions,
  tools: OrderReader | undefined,
): Source | undefined {
  const every = msOf(intervalMs, "intervalMs");
  const riding = msOf(piggybackIntervalMs, "piggybackIntervalMs");
  const reader = (): OrderReader => {
    if (tools === undefined)
      throw new TypeError("seawall/flags/snapshot reads no orders: take seawall/flags for a store");
    return tools;
  };
  if (database !== undefined) return databaseSource(reader(), database, store, every, riding);
  if (riding !== undefined) throw new TypeError("createFlags: piggybackIntervalMs needs a database");
  if (store === undefined) {
    if (every !== undefined) throw new TypeError("createFlags: intervalMs needs a store or a database to look into");
    return undefined;
  }
  if (isStrong(store)) return new StrongSource(reader(), store, every);
  if (hasMethods(store, ["get", "put"])) return new CacheSource(reader(), store, every);
  throw new TypeError(
    `createFlags: store must be a strong store, such as strongRedisStore(…), or a cache of orders, such as workersKvStore(env.SEAWALL_KV); it got ${kindOf(store)}.`,
  );
}

function databaseSource(
  reader: OrderReader,
  database: FlagDatabase,
  store: StrongStore | Store | undefined,
  every: number | undefined,
  riding: number | undefined,
): Source {
  if (!hasMethods(database, ["execute", "batch"]) || !hasMethods(database.seawall, ["piggyback"])) {
    throw new TypeError(
      `createFlags: database must be a client of createClient(…) of seawall; it got ${kindOf(database)}.`,
    );
  }
  if (store !== undefined && !isTable(store)) {
    throw new TypeError(
      "createFlags: with a database, store must be strongLibsqlStore(…), or be left out: flags live there.",
    );
  }
  return new DatabaseSource(reader, database, store ?? strongLibsqlStore({ client: database }), every, riding);
}

function msOf(value: number | undefined, name: string): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value >= 0 && value <= INTERVAL_MAX_MS)) return value;
  throw new RangeError(`createFlags: ${name} is 0 to ${INTERVAL_MAX_MS} ms; it got ${String(value)}.`);
}

function isStrong(store: StrongStore | Store): store is StrongStore {
  return hasMethods(store, ["read", "swap"]);
}

function isTable(store: StrongStore | Store): store is StrongLibsqlStore {
  return isStrong(store) && typeof (store as Partial<StrongLibsqlStore>).table === "string";
}

/** Orders are read without a head that long after the last time, as src/orders/follow.rs does, in milliseconds. */
const RECOVER_AFTER_MS = 60_000;
/** How often a head is read again because an order was ahead of it. */
const TRIES_MAX = 3;

class StrongSource implements Source {
  readonly name: string;
  readonly intervalMs: number;
  readonly lagMs = 0;
  readonly propagation: Propagation;
  readonly looksFirst: boolean = true;
  readonly #store: StrongStore;
  protected readonly reader: OrderReader;
  /** The head of which everything was taken. */
  protected known: string | null = null;
  #recoveredAt = Number.NEGATIVE_INFINITY;

  constructor(reader: OrderReader, store: StrongStore, every: number | undefined, propagation?: Propagation) {
    this.reader = reader;
    this.#store = store;
    this.name = String(store.name);
    this.intervalMs = every ?? INTERVALS_MS[this.name] ?? INTERVAL_STRONG_MS;
    this.propagation = propagation ?? byLooks(this.name, this.intervalMs);
  }

  async look(held: () => Held, nowMs: number): Promise<Found> {
    for (let tries = 1; ; tries += 1) {
      const head = await this.#store.read(HEAD);
      if (head !== null && head === this.known) return CURRENT;
      const marks = head === null ? undefined : marksOf(this.reader, head);
      if (head === null || marks === undefined) return this.#recovered(head !== null, held, nowMs);
      const names = NAMES.filter((name) => (marks[name] ?? 0) > held()[name]);
      const texts = Object.fromEntries(
        await Promise.all(names.map(async (name) => [name, await this.#store.read(keyOf(name))])),
      ) as Partial<Record<FlagOrder, string | null>>;
      const found = this.take(head, texts, held());
      if (!found.isAhead || tries === TRIES_MAX) return found;
    }
  }

  /** Judges what was read by its head, which is not looked at again if it was all and can be used. */
  protected take(head: string, texts: Partial<Record<FlagOrder, string | null>>, held: Held, isAll = true) {
    const found = judged(this.reader, texts, head, held);
    const marks = marksOf(this.reader, head);
    // A head that names less than is held is an old one: of a replica, or of a backup that was put back.
    const isOld = NAMES.some((name) => (marks?.[name] ?? 0) < held[name]);
    if (found.isCurrent && !isOld && isAll) this.known = head;
    const problem = found.isAhead ? "an order is not the one that the head of the audit log names" : found.problem;
    return { ...found, ...(problem !== undefined && { problem }), isCurrent: found.isCurrent && !isOld };
  }

  /** Without a head nobody knows which orders are the newest: what is there is taken from time to time. */
  async #recovered(isDamaged: boolean, held: () => Held, nowMs: number): Promise<Found> {
    const { flags, kill } = held();
    const problem = isDamaged ? "the head of the audit log is damaged" : undefined;
    const lost = problem ?? (flags + kill > 0 ? "the head of the audit log is gone" : undefined);
    const idle: Found = lost === undefined ? CURRENT : { newer: {}, problem: lost, isCurrent: false };
    if (nowMs >= this.#recoveredAt && nowMs - this.#recoveredAt < RECOVER_AFTER_MS) return idle;
    this.#recoveredAt = nowMs;
    const [ofFlags, ofKill] = await Promise.all([this.#store.read(keyOf("flags")), this.#store.read(keyOf("kill"))]);
    const { newer, problem: wrong } = judged(this.reader, { flags: ofFlags, kill: ofKill }, null, held());
    const isNothing = lost === undefined && ofFlags === null && ofKill === null;
    const told = lost ?? wrong;
    return { newer, ...(told !== undefined && { problem: told }), isCurrent: isNothing };
  }
}

/** After the database has refused the question, most often because there is no table yet, it is left alone so long. */
const REFUSED_MS = 5_000;
/** So much of the head says which one it is: its number and its digest. */
const MARK_LENGTH = 105;

/** The database that is asked anyway. */
class DatabaseSource extends StrongSource {
  override readonly looksFirst = false;
  readonly #database: FlagDatabase;
  readonly #everyMs: number;
  readonly #sql: string;
  #refusedUntil = Number.NEGATIVE_INFINITY;

  constructor(
    reader: OrderReader,
    database: FlagDatabase,
    store: StrongLibsqlStore,
    every = INTERVAL_RARE_MS,
    riding = PIGGYBACK_MS,
  ) {
    super(reader, store, every, byRoundTrips(store.name, riding, every));
    this.#database = database;
    this.#everyMs = riding;
    // Nothing is answered while the head is the one that is known; otherwise what is killed, at once. Flags are long: they are
    // looked for behind the request.
    this.#sql =
      `SELECT key, text FROM ${store.table} WHERE key IN ('${HEAD}', '${keyOf("kill")}') AND ` +
      `(SELECT substr(text, 1, ${MARK_LENGTH}) FROM ${store.table} WHERE key = '${HEAD}') IS NOT ?`;
  }

  /** What can be read can be asked for: the table is there. */
  override async look(held: () => Held, nowMs: number): Promise<Found> {
    const found = await super.look(held, nowMs);
    this.#refusedUntil = Number.NEGATIVE_INFINITY;
    return found;
  }

  listen(held: () => Held, now: () => number, found: (found: Found, askedAtMs: number) => void): () => void {
    let askedAt = Number.NEGATIVE_INFINITY;
    let lookedFor: string | undefined;
    return this.#database.seawall.piggyback(() => {
      const nowMs = now();
      // A clock that stepped back asks.
      const dueAt = Math.max(askedAt + this.#everyMs, this.#refusedUntil);
      if (nowMs >= askedAt && nowMs < dueAt) return undefined;
      askedAt = nowMs;
      const known = this.known;
      return {
        statement: { sql: this.#sql, args: [known === null ? null : known.slice(0, MARK_LENGTH)] },
        answered: ({ rows }) => {
          // Before the first head there is nothing that could be the same.
          if (rows.length === 0) return found(CURRENT, nowMs);
          const texts = new Map(rows.map(({ key, text }) => [String(key), String(text)]));
          const head = texts.get(HEAD);
          const marks = head === undefined ? undefined : marksOf(this.reader, head);
          // The next look finds out what is there instead.
          if (head === undefined || marks === undefined) return;
          const own = held();
          const isNewer = (marks.flags ?? 0) > own.flags;
          // Once for each head: what cannot be taken is not looked for with every request.
          const hasMore = isNewer && head !== lookedFor;
          if (hasMore) lookedFor = head;
          const isKilled = (marks.kill ?? 0) > own.kill;
          const taken = this.take(head, isKilled ? { kill: texts.get(keyOf("kill")) ?? null } : {}, own, !isNewer);
          found({ ...taken, isCurrent: taken.isCurrent && !isNewer, hasMore }, nowMs);
        },
        failed: () => {
          this.#refusedUntil = nowMs + REFUSED_MS;
        },
      };
    });
  }
}

/** The cache's keys begin with it: as js/src/monitor/strong-host.ts has it. */
const CACHE_PREFIX = "seawall/";

/** A place that orders are put into after they were written. It may be behind, in each place by itself. */
class CacheSource implements Source {
  readonly name: string;
  readonly intervalMs: number;
  readonly lagMs: number;
  readonly propagation: Propagation;
  readonly looksFirst = true;
  readonly #store: Store;
  readonly #reader: OrderReader;
  readonly #taken = new Map<FlagOrder, string>();

  constructor(reader: OrderReader, store: Store, every: number | undefined) {
    this.#reader = reader;
    this.#store = store;
    this.name = String(store.name);
    this.intervalMs = every ?? INTERVALS_MS[this.name] ?? INTERVAL_CACHE_MS;
    this.lagMs = LAGS_MS[this.name] ?? 0;
    this.propagation = byCache(this.name, this.intervalMs);
  }

  async look(held: () => Held): Promise<Found> {
    const read = async (name: FlagOrder) => [name, await this.#store.get(CACHE_PREFIX + keyOf(name))] as const;
    const texts = await Promise.all(NAMES.map(read));
    // What was judged once is not judged again.
    const fresh = texts.filter(([name, text]) => text !== null && text !== this.#taken.get(name));
    const found = judged(this.#reader, Object.fromEntries(fresh), null, held());
    for (const [name, text] of fresh) if (found.isCurrent && text !== null) this.#taken.set(name, text);
    // A cache that has nothing has not been told, or has forgotten.
    const isThere = texts.some(([name, text]) => name === "flags" && text !== null);
    const isGone = texts.some(([name, text]) => text === null && held()[name] > 0);
    return { ...found, isCurrent: found.isCurrent && isThere && !isGone };
  }
}
