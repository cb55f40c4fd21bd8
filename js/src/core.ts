// The core in this isolate: one wasm instance, which can be replaced when it has trapped.

import * as wasm from "./generated/core.js";
import type { Settings } from "./settings.ts";
import type { TierName } from "./tenants/tier.ts";
import type { Times } from "./times.ts";
import { isTrap } from "./trap.ts";

/**
 * Kinds of steps: the low three bits of what `begin`, `wake` and `report` return. `FailOpen` is never the core's: it
 * stands for a step that the core could not give, because it has trapped.
 */
export const Step = { Attempt: 0, Wait: 1, Refuse: 2, Done: 3, FailOpen: 4, Check: 5 } as const;
/** Places in the register. */
export const Place = {
  TimeoutMs: 0,
  RenewMs: 1,
  AtMs: 2,
  Detail: 3,
  Attempts: 4,
  State: 5,
  ChangedAtMs: 6,
  HedgeMs: 7,
  TimesAt: 8,
} as const;
/** What `succeed` and `look` ask the host to look at. */
export const Look = { Waiter: 1, Store: 2, Notes: 4, Pool: 8 } as const;
/** How a call ended that was not refused. */
export const Ending = { AsReported: 0, OutcomeUnknown: 1, DeadlineExceeded: 2, RetriesExhausted: 3 } as const;
/** Outcomes that the driver reports without an answer of the server. */
export const OutcomeClass = { Success: 0, Timeout: 2, Aborted: 11 } as const;

const REGISTER_LENGTH = 9;
/** Rows of `note::times`, and numbers in all of them and behind: circuit changes and retries. */
const TIMES_ROWS = 8;
const TIMES_COUNTS = TIMES_ROWS * 51 + 9 + 12;

let generation = 0;
/** Whether the instance could not be replaced when it should have been. */
let isOverdue = false;

/** How often the instance was replaced. A handle made before the latest time is dead. */
export function coreGeneration(): number {
  return generation;
}

/** The same, for whoever makes a handle: from here on there is an instance that works. */
export function liveGeneration(): number {
  if (isOverdue) {
    wasm.__wbg_reset_state();
    isOverdue = false;
  }
  return generation;
}

/** Memory of the instance, in bytes. */
export function coreMemoryBytes(): number {
  return unlessTrapped(() => wasm.wasmMemory().buffer.byteLength) ?? 0;
}

/** Replaces the instance, unless that was done since `seen`. Every handle must be made anew. */
export function replaceCore(seen: number): void {
  if (seen !== generation) return;
  generation += 1;
  isOverdue = true;
  try {
    liveGeneration();
  } catch {
    // Where the stack has ended there is no room for it. Whoever makes the next handle has some.
  }
}

/** Throws one error that names every setting that cannot be used. */
export function checkSettings({ lines, numbers, database }: Settings): void {
  wasm.checkSettings(lines, numbers, database);
}

/** Every setting in a line, and their values as numbers. Throws as {@link checkSettings}. */
export function describeSettings({ lines, numbers, database }: Settings): { text: string; values: Float64Array } {
  const text = wasm.describeSettings(lines, numbers, database);
  return { text, values: wasm.settingValues(lines, numbers, database) };
}

/** Judges a failed attempt; see `judge` in src/bindings. It knows nothing, so that any instance answers alike. */
export function judge(status: number, code: string, sent: boolean): number {
  return unlessTrapped(() => wasm.judge(status, code, sent)) ?? wasm.judge(status, code, sent);
}
/** Judges an attempt by its class alone. */
export const judgeClass = wasm.judgeClass;

/** What one SQL statement does, packed as `describe_statement` in src/bindings says; undefined when the core has trapped. */
export function describeStatement(sql: string): Uint32Array | undefined {
  return unlessTrapped(() => wasm.describeStatement(sql));
}

/** A statement's text without literals, comments and layout; undefined when the core has trapped. */
export function normalText(sql: string): string | undefined {
  return unlessTrapped(() => wasm.normalText(sql));
}

function unlessTrapped<T>(what: () => T): T | undefined {
  const seen = generation;
  try {
    return what();
  } catch (error) {
    if (isTrap(error)) replaceCore(seen);
    return undefined;
  }
}

/**
 * The policies of one database, with a view on their register.
 *
 * On the path of an operation nothing here throws. A core that traps, or that was replaced because another one in this
 * isolate trapped, answers `FailOpen`, and `onTrap` is told.
 */
export class CoreHandle {
  readonly core: wasm.Core;
  /** The tier in force, for errors. */
  tier: TierName | undefined;
  readonly generation = liveGeneration();
  /** Whether there is something behind the pool's connections. */
  readonly hasConnections: boolean;
  #register: Float64Array;
  readonly #address: number;
  readonly #onTrap: (handle: CoreHandle) => void;

  constructor(
    { lines, numbers, database }: Settings,
    seedHigh: number,
    seedLow: number,
    nowMs: number,
    onTrap: (handle: CoreHandle) => void,
    hasConnections = false,
  ) {
    this.hasConnections = hasConnections;
    this.core = new wasm.Core(lines, numbers, database, seedHigh, seedLow, nowMs);
    this.#address = this.core.registerAddress();
    this.#register = this.#view();
    this.#onTrap = onTrap;
  }

  /** One number of the register. Growing memory detaches the view, which then has no length. */
  read(place: number): number {
    if (this.#register.length === 0) this.#register = this.#view();
    return this.#register[place] as number;
  }

  begin(bits: number, timeoutMs: number, nowMs: number): number {
    try {
      return this.core.begin(bits, timeoutMs, nowMs);
    } catch (error) {
      return this.trapped(error, Step.FailOpen);
    }
  }

  wake(call: number, nowMs: number): number {
    try {
      return this.core.wake(call, nowMs);
    } catch (error) {
      return this.trapped(error, Step.FailOpen);
    }
  }

  report(call: number, judgement: number, nowMs: number): number {
    try {
      return this.core.report(call, judgement, nowMs);
    } catch (error) {
      return this.trapped(error, Step.FailOpen);
    }
  }

  /** What to look at. */
  succeed(call: number, nowMs: number): number {
    try {
      return this.core.succeed(call, nowMs);
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** What to look at. */
  cancel(call: number, nowMs: number): number {
    try {
      this.core.cancel(call, nowMs);
      return this.core.look();
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** The call's next step, after the check of its connection. */
  checked(call: number, isWell: boolean, nowMs: number): number {
    try {
      return this.core.checked(call, isWell, nowMs);
    } catch (error) {
      return this.trapped(error, Step.FailOpen);
    }
  }

  /** The number of the connection that a call uses; 0 for none. */
  connectionOf(call: number): number {
    if (!this.hasConnections) return 0;
    try {
      return this.core.connectionOf(call);
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** What to do next for connections that nobody uses, packed as `nextPoolWork` in src/bindings says; or -1. */
  nextPoolWork(nowMs: number): number {
    try {
      return this.core.nextPoolWork(nowMs);
    } catch (error) {
      return this.trapped(error, -1);
    }
  }

  setUp(connection: number, isWell: boolean, nowMs: number): void {
    try {
      this.core.setUp(connection, isWell, nowMs);
    } catch (error) {
      this.trapped(error, 0);
    }
  }

  renew(call: number, nowMs: number): boolean {
    try {
      return this.core.renew(call, nowMs);
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** Lets an attempt begin only now. */
  restart(call: number, nowMs: number): void {
    try {
      this.core.restart(call, nowMs);
    } catch (error) {
      this.trapped(error, 0);
    }
  }

  /** Connections and operations at once, packed as `bounds` in src/bindings says. */
  bounds(): number {
    try {
      return this.core.bounds();
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** Whether a second leg starts: 0 now, -1 never, else the milliseconds to wait before asking again. */
  hedge(call: number, nowMs: number): number {
    try {
      return this.core.hedge(call, nowMs);
    } catch (error) {
      return this.trapped(error, -1);
    }
  }

  /** Whether the call goes on with its other leg after the end of this one. */
  endLeg(call: number, isSecond: boolean, judgement: number, nowMs: number): boolean {
    try {
      return this.core.endLeg(call, isSecond, judgement, nowMs);
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** Renews all leases; false when no call is running any more. */
  renewAll(nowMs: number): boolean {
    try {
      if (this.core.running(nowMs) === 0) return false;
      this.core.renewAll(nowMs);
      return true;
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  look(): number {
    try {
      return this.core.look();
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** The call to wake, or -1. */
  nextWaiter(): number {
    try {
      return this.core.nextWaiter();
    } catch (error) {
      return this.trapped(error, -1);
    }
  }

  /** Number of the breaker's state. */
  breakerState(nowMs: number): number {
    try {
      return this.core.breakerState(nowMs);
    } catch (error) {
      return this.trapped(error, 0);
    }
  }

  /** The oldest change of the circuit that was not taken yet, packed as `takeChange` in src/bindings says; or -1. */
  takeChange(): number {
    try {
      return this.core.takeChange();
    } catch (error) {
      return this.trapped(error, -1);
    }
  }

  /** Whether the one read of a cold isolate is to be made now. */
  claimColdRead(nowMs: number): boolean {
    try {
      return this.core.claimColdRead(nowMs);
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** Whether the store is to be read now. */
  claimRead(nowMs: number): boolean {
    try {
      return this.core.claimRead(nowMs);
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** Milliseconds to wait before the store is written, or -1. */
  claimWrite(nowMs: number): number {
    try {
      return this.core.claimWrite(nowMs);
    } catch (error) {
      return this.trapped(error, -1);
    }
  }

  /** Whether the store near by is to be read now. */
  claimNearRead(nowMs: number): boolean {
    try {
      return this.core.claimNearRead(nowMs);
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** Whether the store near by is to be written now. */
  claimNearWrite(): boolean {
    try {
      return this.core.claimNearWrite();
    } catch (error) {
      return this.trapped(error, 0) !== 0;
    }
  }

  /** All that is known, as text; empty when the core has trapped. */
  export(): string {
    try {
      return this.core.export();
    } catch (error) {
      this.trapped(error, 0);
      return "";
    }
  }

  /** How long things took: the counts of `note::times` in src, as they lie in memory. */
  times(): Times {
    const at = this.read(Place.TimesAt);
    const { buffer } = wasm.wasmMemory();
    const sumsMs = Array.from(new BigUint64Array(buffer, at, TIMES_ROWS), Number);
    const counts = Array.from(new Uint32Array(buffer, at + TIMES_ROWS * 8, TIMES_COUNTS));
    return { sumsMs, counts };
  }

  /** A trap leaves the instance unusable for everybody: it is replaced before anything else is asked of it. */
  trapped(error: unknown, answer: number): number {
    if (isTrap(error)) replaceCore(this.generation);
    this.#onTrap(this);
    return answer;
  }

  #view(): Float64Array {
    return new Float64Array(wasm.wasmMemory().buffer, this.#address, REGISTER_LENGTH);
  }
}
