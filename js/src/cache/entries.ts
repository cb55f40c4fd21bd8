// Keys to slots and values: the bookkeeping of the query cache. A slot is free again once nothing is kept or loaded there.

import type { InArgs } from "../api.ts";
import type { OperationCache } from "../config/options.ts";
import type { CacheHandle } from "./handle.ts";
import type { Kept } from "./kept.ts";
import { keyOfArgs } from "./keys.ts";
import type { TableSet } from "./tables.ts";

/** How a load ended: with a value, which is stale or even an old one instead of an error, or with an error. */
export type Outcome =
  | { readonly kept: Kept; readonly isStale?: boolean; readonly isOld?: boolean }
  | { readonly error: unknown };

/** A load under way, and those who wait for it. */
export interface Flight {
  /** What all who share it asked for alike. */
  readonly policies: string;
  /** How it ended, for everybody who waits. */
  outcome: Outcome | undefined;
  readonly waiters: Set<() => void>;
}

/** One key. */
export interface Entry {
  /** Its number for the core; negative once it has none. */
  slot: number;
  kept: Kept | undefined;
  /** The latest load under way. */
  flight: Flight | undefined;
  /** What its key takes in memory, in bytes, by an estimate. */
  readonly bytes: number;
  readonly statement: Statement;
  readonly key: Key;
}

type Scalar = string | number | bigint | boolean;
/** Where a key is within its statement: alone, by its only argument, or by text. */
type Key = { readonly one: Scalar } | { readonly text: string };

/** The keys of one SQL text. */
interface Statement {
  readonly sql: string;
  /** By the only argument: a `Map` tells 1, 1n, "1" and true apart. */
  readonly ones: Map<Scalar, Entry>;
  readonly texts: Map<string, Entry>;
}

/** Estimates in bytes: of an entry without its key, of a character of it. */
const ENTRY = 256;
const CHARACTER = 2;
const TEXT_MAX = 65_536;
/** Entries with nothing kept, because it is being loaded. Beyond it the oldest go: who loaded them has vanished, or is late. */
const BARE_MAX = 2_000;

export class Entries {
  readonly handle: CacheHandle;
  readonly #statements = new Map<string, Statement>();
  readonly #slots: (Entry | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #bare = new Set<Entry>();

  constructor(handle: CacheHandle) {
    this.handle = handle;
  }

  /** Keys, kept or being loaded. */
  get size(): number {
    return this.#slots.length - this.#free.length;
  }

  /** The entry of a key that has one. */
  find(sql: string, args: InArgs | undefined, own: OperationCache | undefined): Entry | undefined {
    const statement = this.#statements.get(sql);
    if (statement === undefined) return undefined;
    if (own === undefined) {
      if (args === undefined) return statement.texts.get("");
      if (Array.isArray(args) && args.length === 1 && isScalar(args[0])) return statement.ones.get(args[0]);
    }
    const key = keyOf(args, own);
    if (key === undefined) return undefined;
    return "one" in key ? statement.ones.get(key.one) : statement.texts.get(key.text);
  }

  /** Makes the entry of a key that has none; undefined for arguments that make no key. */
  open(sql: string, args: InArgs | undefined, own: OperationCache | undefined, tables: TableSet): Entry | undefined {
    const key = keyOf(args, own);
    if (key === undefined || sql.length > TEXT_MAX) return undefined;
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = { sql, ones: new Map(), texts: new Map() };
      this.#statements.set(sql, statement);
    }
    const text = "one" in key ? String(key.one) : key.text;
    const slot = this.#free.pop() ?? this.#slots.length;
    const bytes = ENTRY + CHARACTER * (text.length + (this.#isFirstOf(statement) ? sql.length : 0));
    const entry: Entry = { slot, kept: undefined, flight: undefined, bytes, statement, key };
    if ("one" in key) statement.ones.set(key.one, entry);
    else statement.texts.set(key.text, entry);
    this.#slots[slot] = entry;
    this.#bare.add(entry);
    this.handle.assign(slot, tables);
    if (this.#bare.size > BARE_MAX) {
      for (const oldest of this.#bare) {
        this.#remove(oldest);
        break;
      }
    }
    return entry;
  }

  /** The core keeps what was loaded. */
  keep(entry: Entry, kept: Kept): void {
    entry.kept = kept;
    this.#bare.delete(entry);
  }

  /** The core has given up what it kept under this slot. */
  drop(slot: number): void {
    const entry = this.#slots[slot];
    if (entry === undefined) return;
    entry.kept = undefined;
    if (entry.flight === undefined) this.#remove(entry);
    else this.#bare.add(entry);
  }

  /** What is kept is of no use to anybody any more. The key stays. */
  forget(entry: Entry): void {
    entry.kept = undefined;
    this.#bare.add(entry);
  }

  /** A load ended, whatever came of it. */
  landed(entry: Entry, flight: Flight): void {
    if (entry.flight === flight) entry.flight = undefined;
    if (entry.flight === undefined && entry.kept === undefined && entry.slot >= 0) this.#remove(entry);
  }

  /** Takes the number of every entry: the core that knew them is gone. Those who hold one go on without it. */
  abandon(): void {
    for (const entry of this.#slots) if (entry !== undefined) entry.slot = -1;
    this.#statements.clear();
    this.#slots.length = 0;
    this.#free.length = 0;
    this.#bare.clear();
  }

  #isFirstOf(statement: Statement): boolean {
    return statement.ones.size + statement.texts.size === 0;
  }

  #remove(entry: Entry): void {
    const { statement, key } = entry;
    if ("one" in key) statement.ones.delete(key.one);
    else statement.texts.delete(key.text);
    if (this.#isFirstOf(statement)) this.#statements.delete(statement.sql);
    this.#bare.delete(entry);
    this.#slots[entry.slot] = undefined;
    this.#free.push(entry.slot);
    entry.slot = -1;
  }
}

function isScalar(value: unknown): value is Scalar {
  switch (typeof value) {
    case "string":
    case "bigint":
    case "boolean":
      return true;
    case "number":
      return Number.isFinite(value);
    default:
      return false;
  }
}

/** Who wants times or a key of his own has an entry of his own: nobody gets what is older than he asked for. */
function keyOf(args: InArgs | undefined, own: OperationCache | undefined): Key | undefined {
  const isPlain = own === undefined || (own.key === undefined && own.ttl === undefined && own.swr === undefined);
  if (isPlain && Array.isArray(args) && args.length === 1 && isScalar(args[0]) && String(args[0]).length <= TEXT_MAX) {
    return { one: args[0] };
  }
  const text = keyOfArgs(args);
  if (text === undefined) return undefined;
  if (isPlain) return { text };
  const { key = "", ttl = "", swr = "" } = own;
  return { text: `v${ttl},${swr},${key.length}:${key}${text}` };
}
