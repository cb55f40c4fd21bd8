// The query cache of one client. The core decides who is served, who loads and what goes, by number; keys and values are here.

import type { InArgs, ResultSet } from "../api.ts";
import { TIMER_MAX_MS } from "../attempt.ts";
import type { OperationCache } from "../config/options.ts";

import { isBefore, type LogIndex } from "../consistency/log-index.ts";
import type { Operation } from "../operation.ts";
import type { Platform } from "../platform/platform.ts";
import type { Settings } from "../settings.ts";
import { tableHash } from "../statement.ts";
import { aborted } from "../verdict.ts";
import { judgementFor, NOTHING_TO_SAY, writtenDespite } from "./endings.ts";
import { Entries, type Entry, type Flight } from "./entries.ts";
import { Facts } from "./facts.ts";
import { Access, CacheHandle, Count, Written } from "./handle.ts";
import { handOut, handOutStale, keep } from "./kept.ts";
import { ALL_TABLES, type TableSet, Tables } from "./tables.ts";

/** What was counted since the client was made. */
export interface CacheStats {
  /** Results kept, and their size by an estimate. */
  entries: number;
  bytes: number;
  /** Reads that were served from memory, within the time to live. */
  hits: number;
  /** Reads that were served from memory beyond it, while another read replaced the result. */
  stale: number;
  /** Reads that had to wait for the database. */
  misses: number;
  /** Of the misses, those that were served an old result because the database did not answer. */
  staleOnError: number;
  /** Of the misses, those that waited for the request of another. */
  shared: number;
  /** Requests to the database for reads that may be kept. */
  loads: number;
  /** Results that made room for others. */
  evictions: number;
}

/** How a read is sent to the database, under the policies. */
export interface Loading {
  readonly operation: Operation;
  /** Without `as`, it is sent as `operation`. */
  load(this: void, as?: Operation): Promise<ResultSet>;
  /** After a load: the index in the log that its answer came from; empty if nobody told. */
  index: LogIndex;
}

/** What an interactive transaction writes. Nothing of it counts before its end. */
export interface TransactionWrites {
  /** These statements are sent; undefined for a script. */
  begin(statements: readonly string[] | undefined): void;
  /** The transaction ended, however. Later calls do nothing. */
  end(written: Written): void;
}

/** A read that was not served from memory at once. */
interface Read {
  readonly entry: Entry;
  readonly caller: number;
  readonly own: OperationCache | undefined;
  /** The index in the log that its caller must see; empty for no matter. */
  readonly floor: LogIndex;
  readonly loading: Loading;
}

/** A leader says this many times within its lease that it lives. */
const RENEWALS = 3;

export class QueryCache {
  readonly #settings: Settings;
  readonly #platform: Platform;
  readonly #facts: Facts;
  #handle: CacheHandle;
  #entries: Entries;
  #nextCaller = 1;
  #loads = 0;
  #shared = 0;
  #staleOnError = 0;

  /**
   * @param related Tables that change together, by name: of a view, a trigger, or a foreign key that cascades.
   * @throws Error that names every setting that cannot be used.
   */
  constructor(settings: Settings, platform: Platform, related: readonly (readonly string[])[] = []) {
    this.#settings = settings;
    this.#facts = new Facts(new Tables(related.map((group) => group.map(tableHash))));
    this.#platform = platform;
    this.#handle = new CacheHandle(settings);
    this.#entries = new Entries(this.#handle);
  }

  /** Whether reads are kept that say nothing about it. */
  get isOn(): boolean {
    return this.#handle.isOn;
  }

  /**
   * One statement: from memory if that may be, else from the database. `prepare` is asked only then.
   *
   * @param floor The index in the log that its caller must see; empty for no matter.
   * @throws What the load throws; `ABORTED` when the caller leaves before it ends.
   */
  read(
    sql: string,
    args: InArgs | undefined,
    own: OperationCache | undefined,
    floor: LogIndex,
    prepare: () => Loading,
  ): ResultSet | Promise<ResultSet> {
    if (this.#handle.isDead) this.#renew();
    let entry = this.#entries.find(sql, args, own);
    let loading: Loading | undefined;
    if (entry === undefined) {
      loading = prepare();
      entry = this.#open(sql, args, own, loading.operation);
      if (entry === undefined) return this.#pass(sql, loading);
    }
    if (floor !== "" && entry.kept !== undefined && isBefore(entry.kept.index, floor)) this.#forget(entry);
    const caller = this.#nextCaller;
    const access = this.#handle.decide(entry.slot, caller, false, this.#platform.now());
    if (access === Access.Serve && entry.kept !== undefined) return handOut(entry.kept);
    this.#nextCaller = (caller + 1) >>> 0;
    drain(this.#handle, this.#entries);
    return this.#follow({ entry, caller, own, floor, loading: loading ?? prepare() }, access);
  }

  /**
   * Runs a write, and forgets what was read from its tables when it has ended. Without `statements`, from all.
   *
   * @throws What `run` throws.
   */
  async write<T>(
    statements: readonly string[] | undefined,
    operation: Operation,
    run: (this: void) => Promise<T>,
  ): Promise<T> {
    const end = this.beginWrite(statements);
    try {
      const value = await run();
      end(Written.Something);
      return value;
    } catch (error) {
      end(writtenDespite(error, operation.idempotent === true));
      throw error;
    }
  }

  /** A write begins; the function that it returns is to be told how it ended. */
  beginWrite(statements: readonly string[] | undefined): (written: Written) => void {
    if (this.#handle.isDead) this.#renew();
    const tables = this.#tablesOf(statements);
    const handle = this.#handle;
    const entries = this.#entries;
    const id = handle.beginWrite(tables, this.#platform.now());
    return (written) => {
      handle.endWrite(id, tables, written);
      drain(handle, entries);
    };
  }

  /** For one transaction: its writes, by statement, all of which end with it. */
  transaction(): TransactionWrites {
    let open: ((written: Written) => void)[] | undefined = [];
    return {
      begin: (statements) => {
        open?.push(this.beginWrite(statements));
      },
      end: (written) => {
        for (const end of open ?? []) end(written);
        open = undefined;
      },
    };
  }

  stats(): CacheStats {
    const handle = this.#handle;
    return {
      entries: handle.count(Count.Entries),
      bytes: handle.count(Count.Bytes),
      hits: handle.count(Count.Hits),
      stale: handle.count(Count.Stale),
      misses: handle.count(Count.Misses),
      staleOnError: this.#staleOnError,
      shared: this.#shared,
      loads: this.#loads,
      evictions: handle.count(Count.Evictions),
    };
  }

  invalidate(tables: string | readonly string[]): void {
    const names = typeof tables === "string" ? [tables] : tables;
    this.#handle.invalidate(names.includes("all") ? ALL_TABLES : this.#facts.named(names));
    drain(this.#handle, this.#entries);
  }

  clear(): void {
    this.invalidate("all");
  }

  /** Goes on with a read that the core did not answer with `Serve`. */
  #follow(read: Read, access: number): ResultSet | Promise<ResultSet> {
    const { kept } = read.entry;
    if (access >= Access.Wait) return this.#wait(read, access);
    if (access === Access.Load || kept === undefined) return this.#lead(read);
    if (access === Access.ServeStaleAndLoad) this.#load(read);
    return handOutStale(kept);
  }

  /** Loads, and waits for it as long as its own caller does. */
  async #lead(read: Read): Promise<ResultSet> {
    const { done, flight } = this.#load(read);
    const { signal } = read.loading.operation;
    const result = await (signal === undefined ? done : unlessAborted(done, signal));
    return result ?? this.#resultOf(flight);
  }

  /**
   * Begins a load. Its caller may leave, and it goes on: others may wait for it, and what it brings is kept. `done` never
   * rejects: a load that failed is undefined, and the flight tells how.
   */
  #load(read: Read): { readonly done: Promise<ResultSet | undefined>; readonly flight: Flight } {
    const { entry, caller } = read;
    const flight: Flight = { policies: policiesOf(read), outcome: undefined, waiters: new Set() };
    // Who loads alone, because his policies are others, leaves the one alone that others wait for.
    if (entry.flight === undefined || entry.flight.policies === flight.policies) entry.flight = flight;
    this.#loads += 1;
    const timer = this.#keepLead(entry, caller);
    const done = this.#run(read, flight).finally(() => {
      clearInterval(timer);
      this.#entries.landed(entry, flight);
      for (const resume of [...flight.waiters]) resume();
    });
    // Without it, on Workers the load would end with the request, and all who wait for it would load once more.
    this.#platform.waitUntil(done);
    return { done, flight };
  }

  async #run(read: Read, flight: Flight): Promise<ResultSet | undefined> {
    const { entry, caller, own, loading } = read;
    const { operation, load } = loading;
    const handle = this.#handle;
    const entries = this.#entries;
    const since = handle.began(this.#platform.now());
    try {
      const result = await load(operation.signal === undefined ? operation : { ...operation, signal: undefined });
      const isStale = result.seawall?.stale === true;
      const kept = keep(result, loading.index);
      flight.outcome = { kept, isStale };
      if (entry.slot >= 0 && isStale) handle.failed(entry.slot, caller, NOTHING_TO_SAY, this.#platform.now());
      else if (entry.slot >= 0) {
        const { ttl = -1, swr = -1 } = own ?? {};
        const bytes = kept.bytes + entry.bytes;
        const isKept = handle.loaded(entry.slot, caller, since, bytes, ttl, swr, this.#platform.now());
        if (isKept) entries.keep(entry, kept);
      }
      drain(handle, entries);
      return result;
    } catch (error) {
      const { kept } = entry;
      const judgement = judgementFor(error);
      const isServed = entry.slot >= 0 && handle.failed(entry.slot, caller, judgement, this.#platform.now());
      flight.outcome = isServed && kept !== undefined ? { kept, isStale: true, isOld: true } : { error };
      drain(handle, entries);
      return undefined;
    }
  }

  /** Says again and again that a load lives: on a timer of its own request, which dies with it. */
  #keepLead(entry: Entry, caller: number): ReturnType<typeof setInterval> {
    const handle = this.#handle;
    const timer = setInterval(() => {
      if (!handle.lives(entry.slot, caller, this.#platform.now())) clearInterval(timer);
    }, handle.leadMs / RENEWALS);
    (timer as { unref?(): void }).unref?.();
    return timer;
  }

  /** Waits for another's load beside a timer of its own request, and takes over if nothing is heard of it. */
  async #wait(read: Read, first: number): Promise<ResultSet> {
    const { entry, caller } = read;
    const { signal } = read.loading.operation;
    const policies = policiesOf(read);
    const handle = this.#handle;
    for (let access = first; ; ) {
      const { flight } = entry;
      if (flight === undefined || flight.policies !== policies) {
        handle.left(entry.slot, caller, this.#platform.now());
        return this.#lead(read);
      }
      await this.#pause(flight, access - Access.Wait, signal);
      if (flight.outcome !== undefined) {
        this.#shared += 1;
        return this.#resultOf(flight);
      }
      if (signal?.aborted) {
        handle.left(entry.slot, caller, this.#platform.now());
        throw aborted(signal, "not_executed");
      }
      if (entry.slot < 0) return this.#lead(read);
      access = handle.decide(entry.slot, caller, true, this.#platform.now());
      if (access === Access.Serve && entry.kept !== undefined) return handOut(entry.kept);
      if (access < Access.Wait) return this.#lead(read);
    }
  }

  #pause(flight: Flight, delayMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const resume = () => {
        clearTimeout(timer);
        flight.waiters.delete(resume);
        signal?.removeEventListener("abort", resume);
        resolve();
      };
      const timer = setTimeout(resume, Math.min(delayMs, TIMER_MAX_MS));
      // Where requests must not resume each other, each looks for itself.
      if (!this.#platform.isPolling) flight.waiters.add(resume);
      signal?.addEventListener("abort", resume, { once: true });
    });
  }

  /** What a caller who waited gets: a copy of his own, or the error that all get. */
  #resultOf({ outcome }: Flight): ResultSet {
    if (outcome === undefined || "error" in outcome) throw outcome?.error;
    if (outcome.isStale !== true) return handOut(outcome.kept);
    if (outcome.isOld === true) this.#staleOnError += 1;
    return handOutStale(outcome.kept);
  }

  /** Sends what is not kept: a read as it is, anything else as a write. */
  #pass(sql: string, { operation, load }: Loading): Promise<ResultSet> {
    if (operation.kind === "read") return load();
    return this.write([sql], operation, load);
  }

  /** What is kept is older than somebody must see. */
  #forget(entry: Entry): void {
    this.#handle.forget(entry.slot);
    this.#entries.forget(entry);
  }

  /** A place for a key that has none; undefined for a read that must not be kept. */
  #open(
    sql: string,
    args: InArgs | undefined,
    own: OperationCache | undefined,
    { kind }: Operation,
  ): Entry | undefined {
    const { isCacheable, tables } = this.#facts.of(sql);
    return isCacheable && kind === "read" ? this.#entries.open(sql, args, own, tables) : undefined;
  }

  /** What these statements write; a read among them writes nothing. */
  #tablesOf(statements: readonly string[] | undefined): TableSet {
    if (statements === undefined) return ALL_TABLES;
    let [low, high] = [0, 0];
    for (const sql of statements) {
      const { kind, tables } = this.#facts.of(sql);
      if (kind === "read") continue;
      low = (low | tables.low) >>> 0;
      high = (high | tables.high) >>> 0;
    }
    return { low, high };
  }

  /** After a trap, begins anew with nothing. */
  #renew(): void {
    this.#entries.abandon();
    this.#handle = new CacheHandle(this.#settings);
    this.#entries = new Entries(this.#handle);
  }
}

/** Drops the values that the core has given up. */
function drain(handle: CacheHandle, entries: Entries): void {
  for (let slot = handle.takeGone(); slot >= 0; slot = handle.takeGone()) entries.drop(slot);
}

/** Rejects when a caller leaves. What he waited for goes on. */
function unlessAborted<T>(done: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(aborted(signal, "not_executed"));
    if (signal.aborted) return leave();
    signal.addEventListener("abort", leave, { once: true });
    done.then((value) => {
      signal.removeEventListener("abort", leave);
      resolve(value);
    });
  });
}

/** Only those share a load who asked for it alike: nobody fails by another's deadline, or gets less than he must see. */
function policiesOf({ floor, loading }: Read): string {
  const { timeoutMs, useCircuitBreaker, retry, hedge } = loading.operation;
  const isPlain = timeoutMs === undefined && useCircuitBreaker === undefined && retry === undefined;
  if (isPlain && hedge === undefined) return floor;
  return JSON.stringify([floor, timeoutMs, useCircuitBreaker, retry, hedge]);
}
