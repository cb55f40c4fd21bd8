// The loop over steps: asks the core, does what it says, reports, asks again. Decides nothing.
//
// Twin of src/worker/driver.rs; tests/conformance/steps holds both to the same stories.

import { attemptOnce, judgementOf, TIMER_MAX_MS } from "./attempt.ts";
import { Circuit, type Why } from "./circuit.ts";
import type { Priority, SeawallOptions } from "./config/options.ts";
import { type CleanupTarget, type Connections, Upkeep } from "./connections.ts";
import { type CoreHandle, judgeClass, kindOf, Look, OutcomeClass, Place, Step } from "./core.ts";
import { holdLease, RENEWAL_MAX_MS } from "./held-lease.ts";
import { LabelledCounts } from "./labels.ts";
import { LiveCore } from "./live-core.ts";
import type { Attempt, AttemptContext, Guard, Lease, Operation, StatementKind } from "./operation.ts";
import { type Platform, platform as thisPlatform } from "./platform/platform.ts";
import { SharedState, sleep } from "./state.ts";
import type { ConnectionStatus, FleetStatus, OperationStatus, Status } from "./status.ts";
import { aborted, CLASS_BITS, errorOf, outcomeOfLoss } from "./verdict.ts";

const KINDS: readonly StatementKind[] = ["read", "write", "unknown"];
const KIND_BITS = { read: 0, write: 1 << 4, unknown: 2 << 4 } as const;
const IDEMPOTENT = 1 << 6;
const HELD = 1 << 7;
const BYPASS_BREAKER = 1 << 8;
const RETRY_POLICY = 9;
const NO_SECOND_LEG = 1 << 13;
const PRIORITY_BITS = { medium: 0, high: 1 << 14, critical: 2 << 14, low: 3 << 14 } as const;

const OPEN = 2;

/** Kinds of this many statements are remembered; the oldest make room. */
const KINDS_REMEMBERED = 500;
const DRAIN_DEADLINE_MS = 10_000;
const DRAIN_POLL_MS = 5;

/** What {@link Driver.tryCall} returns instead of a promise while the circuit is open. */
export interface Refusal {
  readonly refused: true;
  readonly code: "CIRCUIT_OPEN";
  /** When asking again can help, in milliseconds since the epoch; infinity if no time can be named. */
  readonly retryAtMs: number;
}

/** A running call of {@link Driver.call} and what happens when its work has ended. */
interface Slot {
  call: number;
  /** Of the core that knows the call: to another one its number means nothing. */
  handle: CoreHandle;
  work: (() => Promise<unknown>) | undefined;
  succeeded(value: unknown): unknown;
  failed(error: unknown): Promise<never>;
}

/** The part of a call's id that is its place in the core's table. */
const CALL_INDEX_MASK = (1 << 14) - 1;

/**
 * Makes the policies for one database; `database` names it in the shared state, and carries no credentials.
 *
 * @param circuit Listeners and operators' hands of an earlier guard of the same database, to go on with.
 * @param connections Who sets up, checks and closes what is behind the pool's connections, if there is anything.
 */
export function createGuard(
  options: SeawallOptions,
  database: string,
  platform: Platform = thisPlatform,
  circuit: Circuit = new Circuit(database, platform),
  connections?: Connections,
): Driver {
  return new Driver(options, database, platform, circuit, connections);
}

/** Drives the policies of one database in one isolate. */
export class Driver implements Guard {
  readonly #platform: Platform;
  readonly #now: () => number;
  readonly #live: LiveCore;
  /** Who listens to the circuit, and who holds it. */
  readonly circuit: Circuit;
  readonly #labelled = new LabelledCounts();
  readonly #shared: SharedState | undefined;
  /** Waiting calls to resume when a lease is free; empty where requests must not resume each other. */
  readonly #waiters = new Map<number, () => void>();
  readonly #upkeep: Upkeep;
  readonly #kinds = new Map<string, StatementKind>();
  readonly #slots: Slot[] = [];
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #refusal: Refusal | undefined;
  #isClosed = false;

  constructor(
    options: SeawallOptions,
    database: string,
    platform: Platform,
    circuit: Circuit,
    connections?: Connections,
  ) {
    this.#platform = platform;
    this.#now = platform.now;
    this.circuit = circuit;
    this.#live = new LiveCore(options, database, platform, circuit, connections !== undefined);
    this.#upkeep = new Upkeep(connections, platform, this.#live);
    if (options.state !== undefined) {
      this.#shared = new SharedState(options.state, database, platform, () => this.#live.get());
    }
  }

  kindOf(sql: string): StatementKind {
    const known = this.#kinds.get(sql);
    if (known !== undefined) return known;
    const kind = KINDS[kindOf(sql)] ?? "unknown";
    if (this.#kinds.size >= KINDS_REMEMBERED) {
      for (const oldest of this.#kinds.keys()) {
        this.#kinds.delete(oldest);
        break;
      }
    }
    this.#kinds.set(sql, kind);
    return kind;
  }

  run<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    const running = this.#shared?.isCold ? this.#runCold(operation, attempt) : this.#drive(operation, attempt);
    return operation.labels === undefined ? running : this.#count(operation, running);
  }

  /**
   * Runs a function under the policies: the shortest way through, for functions that need no signal.
   *
   * It is not repeated after a lost answer, because nothing is known of what it does.
   */
  call<T>(work: () => Promise<T>): Promise<T> {
    const { handle } = this.#live;
    if (handle === undefined || this.#shared?.isCold) return this.run(CALL, work);
    const step = handle.begin(CALL_BITS, -1, this.#now());
    this.#heed(step, handle);
    switch (step & 7) {
      case Step.Attempt:
        return this.#callOnce(work, step >>> 3, handle);
      case Step.Refuse:
        return rejectSoon(this.#ended(CALL, step, handle, undefined));
      default:
        return this.#follow(CALL, work, step, handle);
    }
  }

  /** Like {@link Driver.call}, but a refusal by an open circuit is a value: no promise, no error, no throw. */
  tryCall<T>(work: () => Promise<T>): Promise<T> | Refusal {
    const { handle } = this.#live;
    if (handle === undefined || handle.breakerState(this.#platform.now()) !== OPEN) return this.call(work);
    if (this.#shared !== undefined) this.#look(handle.look());
    const retryAtMs = handle.core.retryAt();
    if (this.#refusal?.retryAtMs !== retryAtMs) {
      this.#refusal = Object.freeze({ refused: true, code: "CIRCUIT_OPEN", retryAtMs });
    }
    return this.#refusal as Refusal;
  }

  async lease(operation: Operation): Promise<Lease> {
    if (this.#shared?.isCold) await this.#shared.warmUp();
    if (operation.signal?.aborted) throw aborted(operation.signal, "not_executed");
    const handle = this.#live.get();
    let step = handle.begin(this.#bitsOf(operation), operation.timeoutMs ?? -1, this.#platform.now());
    this.#heed(step, handle);
    while ((step & 7) === Step.Wait || (step & 7) === Step.Check) {
      const call = step >>> 3;
      step = (step & 7) === Step.Check ? await this.#check(call, handle) : await this.#wait(operation, call, handle);
    }
    if ((step & 7) === Step.FailOpen) return UNGUARDED_LEASE;
    if ((step & 7) !== Step.Attempt) throw this.#ended(operation, step, handle, undefined);
    return holdLease(step >>> 3, handle, this.#now, (look) => this.#look(look));
  }

  async drain(deadlineMs = DRAIN_DEADLINE_MS): Promise<void> {
    this.close();
    const deadline = this.#platform.now() + deadlineMs;
    const running = () => this.#live.ask((core) => core.running(this.#platform.now()));
    while (running() > 0 && this.#platform.now() < deadline) await sleep(DRAIN_POLL_MS);
  }

  /** Refuses new operations; those in flight go on, those that wait are refused. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#live.close();
    for (const resume of [...this.#waiters.values()]) resume();
  }

  /** Accepts operations again. */
  reopen(): void {
    this.#isClosed = false;
    this.#live.reopen();
  }

  /** Sets up the connections that are to be warm; resolves when they are, or cannot be. */
  async warm(): Promise<void> {
    await this.#upkeep.warm();
  }

  /** The same before anybody asks, where the settings want it and the runtime allows it. */
  startWarm(): void {
    this.#upkeep.start();
  }

  /** Closes connections by hand; see `Controls.cleanup`. */
  cleanUp(target: CleanupTarget): number {
    return this.#upkeep.cleanUp(target);
  }

  /** Changes the pool's bounds while it runs; see `Controls.resize`. */
  resize(bounds: { minConnections?: number; maxConnections?: number }): void {
    this.#live.resize(bounds);
    this.#look(this.#live.get().look());
  }

  /** The status document. */
  status(): Status {
    return this.#live.status();
  }

  /** Connections with their histories. */
  connections(): ConnectionStatus[] {
    return this.#live.connections();
  }

  /**
   * The circuit in all data centres; see `Controls.fleet`.
   *
   * @throws TypeError without a store that can list.
   */
  async fleet(): Promise<FleetStatus> {
    if (this.#shared === undefined)
      throw new TypeError("fleet() needs seawall.state.store, a store that can list keys.");
    const { words, unread } = await this.#shared.readFleet();
    const view = JSON.parse(this.#live.ask((core, now) => core.fleet(words, now))) as Omit<FleetStatus, "unread">;
    this.#look(this.#live.get().look());
    return { ...view, unread };
  }

  /** What was counted of operations that their callers named. */
  operations(): OperationStatus[] {
    return this.#labelled.list();
  }

  /** Holds the circuit open or closed by hand; undefined lets it go. */
  forceState(state: "OPEN" | "CLOSED" | undefined, why?: string | Why): void {
    this.#live.force(state, why);
  }

  /** Closes the circuit and forgets its counts. */
  resetBreaker(why?: string | Why): void {
    this.#live.reset(why);
    this.#look(this.#live.get().look());
  }

  /** Turns the breaker off, or on again, while it runs. */
  enableBreaker(isOn: boolean, why?: string | Why): void {
    this.#live.enable(isOn, why);
  }

  async #runCold<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    await this.#shared?.warmUp();
    return this.#drive(operation, attempt);
  }

  async #drive<T>(operation: Operation, attempt: Attempt<T>): Promise<T> {
    if (operation.signal?.aborted) throw aborted(operation.signal, "not_executed");
    const handle = this.#live.get();
    const step = handle.begin(this.#bitsOf(operation), operation.timeoutMs ?? -1, this.#platform.now());
    this.#heed(step, handle);
    return this.#follow(operation, attempt, step, handle);
  }

  async #follow<T>(operation: Operation, attempt: Attempt<T>, first: number, handle: CoreHandle): Promise<T> {
    let step = first;
    let failure: unknown;
    for (let attempts = 1; ; ) {
      switch (step & 7) {
        case Step.Attempt: {
          const call = step >>> 3;
          const ended = await attemptOnce(operation, attempt, call, handle, attempts, this.#now);
          attempts += 1;
          if ("value" in ended) {
            this.#look(handle.succeed(call, this.#platform.now()));
            return ended.value;
          }
          failure = ended.error;
          if (operation.signal?.aborted) {
            this.#look(handle.cancel(call, this.#platform.now()));
            throw aborted(operation.signal, outcomeOfLoss(operation));
          }
          step = handle.report(call, ended.judgement, this.#platform.now());
          this.#remember(handle);
          break;
        }
        case Step.Wait:
          step = await this.#wait(operation, step >>> 3, handle);
          break;
        case Step.Check:
          step = await this.#check(step >>> 3, handle);
          break;
        case Step.FailOpen:
          // The core has trapped. What was already tried has its own error; anything else goes straight to the database.
          if (attempts > 1) throw failure;
          return attempt(unguarded());
        default:
          throw this.#ended(operation, step, handle, failure);
      }
    }
  }

  /** The first attempt of `call`: without a signal, and with a timer only if it needs one. */
  #callOnce<T>(work: () => Promise<T>, call: number, handle: CoreHandle): Promise<T> {
    const timeoutMs = handle.read(Place.TimeoutMs);
    // Where a caller can vanish, its own timer keeps its lease; elsewhere one timer keeps all.
    const isAlone = this.#platform.isPolling;
    if (!isAlone && this.#renewal === undefined) this.#keepLeases(handle);
    let running: Promise<T>;
    try {
      running = work();
    } catch (error) {
      running = Promise.reject(error);
    }
    if (timeoutMs === 0 && !isAlone) {
      const slot = this.#slot(call, handle);
      slot.call = call;
      slot.handle = handle;
      slot.work = work;
      return running.then(slot.succeeded as (value: T) => T, slot.failed);
    }
    const renewMs = isAlone ? Math.max(handle.read(Place.RenewMs), 1) : Number.POSITIVE_INFINITY;
    return new Promise((resolve, reject) => {
      let left = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const fail = (ended: { error: unknown; judgement: number }) => {
        timer = undefined;
        this.#settle(CALL, work, ended, call, handle).then(resolve, reject);
      };
      const arm = () => {
        const delay = Math.min(left, renewMs, TIMER_MAX_MS);
        timer = setTimeout(() => {
          left -= delay;
          if (left <= 0) return fail({ error: undefined, judgement: judgeClass(OutcomeClass.Timeout) });
          handle.renew(call, this.#now());
          arm();
        }, delay);
      };
      arm();
      running.then(
        (value) => {
          if (timer === undefined) return;
          clearTimeout(timer);
          resolve(this.#succeeded(value, call, handle));
        },
        (error) => {
          if (timer === undefined) return;
          clearTimeout(timer);
          fail({ error, judgement: judgementOf(error) });
        },
      );
    });
  }

  /** Renews all leases on one timer, which keeps no process alive and ends when no call is running. */
  #keepLeases(handle: CoreHandle): void {
    const delay = Math.min(Math.max(handle.read(Place.RenewMs), 1), RENEWAL_MAX_MS);
    const timer = setTimeout(() => {
      this.#renewal = undefined;
      const live = this.#live.get();
      if (live.renewAll(this.#now())) this.#keepLeases(live);
    }, delay);
    (timer as { unref?(): void }).unref?.();
    this.#renewal = timer;
  }

  /** The continuations of one place in the core's table of calls, made once: making them for each call costs as much again. */
  #slot(call: number, handle: CoreHandle): Slot {
    const index = call & CALL_INDEX_MASK;
    const known = this.#slots[index];
    if (known !== undefined) return known;
    const slot: Slot = {
      call,
      handle,
      work: undefined,
      succeeded: (value) => {
        slot.work = undefined;
        return this.#succeeded(value, slot.call, slot.handle);
      },
      failed: (error) => {
        const { work } = slot;
        slot.work = undefined;
        const ended = { error, judgement: judgementOf(error) };
        return this.#settle(CALL, work as () => Promise<never>, ended, slot.call, slot.handle);
      },
    };
    this.#slots[index] = slot;
    return slot;
  }

  #succeeded<T>(value: T, call: number, handle: CoreHandle): T {
    const look = handle.succeed(call, this.#now());
    if (look !== 0) this.#look(look);
    return value;
  }

  /** Goes on after a first attempt that `call` made by itself and that failed. */
  async #settle<T>(
    operation: Operation,
    attempt: Attempt<T>,
    ended: { error: unknown; judgement: number },
    call: number,
    handle: CoreHandle,
  ): Promise<T> {
    const step = handle.report(call, ended.judgement, this.#platform.now());
    this.#remember(handle);
    if ((step & 7) === Step.FailOpen) throw ended.error;
    if ((step & 7) === Step.Wait) return this.#follow(operation, attempt, step, handle);
    throw errorOf(operation, step, handle, ended.error);
  }

  /** Waits beside a timer of this request, then asks the core again. */
  async #wait(operation: Operation, call: number, handle: CoreHandle): Promise<number> {
    const { signal } = operation;
    const delay = Math.min(Math.max(handle.read(Place.AtMs) - this.#platform.now(), 0), TIMER_MAX_MS);
    await new Promise<void>((resolve) => {
      const resume = () => {
        clearTimeout(timer);
        this.#waiters.delete(call);
        signal?.removeEventListener("abort", resume);
        resolve();
      };
      const timer = setTimeout(resume, delay);
      if (!this.#platform.isPolling) this.#waiters.set(call, resume);
      signal?.addEventListener("abort", resume, { once: true });
    });
    if (signal?.aborted) {
      this.#look(handle.cancel(call, this.#platform.now()));
      throw aborted(signal, "not_executed");
    }
    const step = handle.wake(call, this.#platform.now());
    this.#heed(step, handle);
    // Somebody else may go on as well: two leases can have come free before the first waiter woke.
    if ((step & 7) !== Step.Wait) this.#nudge(handle);
    return step;
  }

  /** Has the connection checked that a call is to use, and asks the core how to go on. */
  async #check(call: number, handle: CoreHandle): Promise<number> {
    const isWell = await this.#upkeep.check(handle.connectionOf(call), handle.read(Place.TimeoutMs));
    const step = handle.checked(call, isWell, this.#platform.now());
    this.#heed(step, handle);
    return step;
  }

  #nudge(handle: CoreHandle): void {
    if (this.#waiters.size === 0) return;
    const next = handle.nextWaiter();
    if (next >= 0) this.#waiters.get(next)?.();
  }

  #look(look: number): void {
    if (look === 0) return;
    const handle = this.#live.get();
    if ((look & Look.Notes) !== 0) this.#live.tell(handle);
    if ((look & Look.Waiter) !== 0) this.#nudge(handle);
    if ((look & Look.Store) !== 0) this.#shared?.tick();
    if ((look & Look.Pool) !== 0) this.#upkeep.tend();
  }

  /** The error of a step that ends an operation. While all are refused, this is when a recovery can be heard of. */
  #ended(operation: Operation, step: number, handle: CoreHandle, failure: unknown): unknown {
    const error = errorOf(operation, step, handle, failure);
    if (this.#shared !== undefined) this.#look(handle.look());
    return error;
  }

  /** After a question: an attempt may have begun half-open, and a refusal may be the first sign of what others found. */
  #heed(step: number, handle: CoreHandle): void {
    if (this.circuit.isTroubled !== ((step & 7) === Step.Refuse)) this.#look(handle.look());
  }

  /** After a failure: the state may have changed, which the fallback and the store should know. */
  #remember(handle: CoreHandle): void {
    this.#look(handle.look());
    this.#live.remember(handle);
  }

  async #count<T>(operation: Operation, running: Promise<T>): Promise<T> {
    const began = this.#platform.now();
    let isFailure = true;
    try {
      const value = await running;
      isFailure = false;
      return value;
    } finally {
      if (operation.labels !== undefined) {
        this.#labelled.record(operation.labels, isFailure, this.#platform.now() - began);
      }
    }
  }

  #bitsOf(operation: Operation): number {
    return bitsOf(operation) | (this.#live.policyOf(operation.retry) << RETRY_POLICY);
  }
}

const CALL: Operation = { class: "query", kind: "unknown" };
const CALL_BITS = bitsOf(CALL);
/** For a transaction that no policy watches. */
const UNGUARDED_LEASE: Lease = { leftMs: undefined, connection: 0, lapsed: false, vanished: false, release() {} };

/** For an attempt that no policy watches. Made when needed: Workers allow no signal at module scope. */
function unguarded(): AttemptContext {
  return { signal: new AbortController().signal, timeoutMs: 0, attempt: 1, connection: 0 };
}

/** Rejects in the next microtask: by then somebody listens, and the runtime need not note a rejection that nobody handles. */
function rejectSoon(error: unknown): Promise<never> {
  return new Promise((_, reject) => {
    Promise.resolve().then(() => reject(error));
  });
}

function bitsOf(operation: Operation): number {
  let bits = CLASS_BITS[operation.class] | KIND_BITS[operation.kind];
  if (operation.idempotent === true || operation.undoable === true) bits |= IDEMPOTENT;
  if (operation.held === true) bits |= HELD;
  if (operation.hedge === false) bits |= NO_SECOND_LEG;
  if (operation.useCircuitBreaker === false) bits |= BYPASS_BREAKER;
  if (operation.priority !== undefined) bits |= priorityBits(operation.priority);
  return bits;
}

function priorityBits(priority: Priority): number {
  const bits = PRIORITY_BITS[priority];
  if (bits === undefined) {
    throw new RangeError(`priority must be low, medium, high or critical, got ${JSON.stringify(priority)}`);
  }
  return bits;
}
