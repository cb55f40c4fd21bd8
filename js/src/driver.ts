// The loop over steps: asks the core, does what it says, reports, asks again. Decides nothing.
//
// Twin of src/worker/driver.rs; tests/conformance/steps holds both to the same stories.

import { attemptOnce, TIMER_MAX_MS } from "./attempt.ts";
import type { Circuit, Why } from "./circuit.ts";
import type { SeawallOptions } from "./config/options.ts";
import { Upkeep } from "./connections.ts";
import { type CoreHandle, coreGeneration, coreMemoryBytes, Place, Step } from "./core.ts";
import { holdLease } from "./held-lease.ts";
import { LabelledCounts } from "./labels.ts";
import { CORE_BITS, Layers, layerSettingsOf, PLAIN } from "./layers.ts";
import { LiveCore } from "./live-core.ts";
import type { LiveSettings } from "./live-settings.ts";
import { Lookout } from "./lookout.ts";
import type {
  Attempt,
  AttemptContext,
  Connections,
  Guard,
  Lease,
  Operation,
  Refusal,
  StatementKind,
} from "./operation.ts";
import { BYPASS_BREAKER, bitsOf } from "./operation-bits.ts";
import type { Platform } from "./platform/platform.ts";
import { CALL, ShortPath } from "./short-path.ts";
import { SlowQueries, type SlowQueryListener } from "./slow-queries.ts";
import { SharedState, sleep } from "./state.ts";
import { type Statement, Statements } from "./statement.ts";
import type { CleanupTarget, ConnectionStatus, FleetStatus, OperationStatus, Status } from "./status.ts";
import type { Observer } from "./telemetry/observer.ts";
import type { Capacity } from "./tenants/capacity.ts";
import type { Left } from "./tenants/residue.ts";
import { priorityOf, type TierName } from "./tenants/tier.ts";
import type { Times } from "./times.ts";
import { aborted, outcomeOfLoss } from "./verdict.ts";

export type { Refusal };

const DRAIN_DEADLINE_MS = 10_000;
const DRAIN_POLL_MS = 5;

/** Drives the policies of one database in one isolate. */
export class Driver implements Guard {
  readonly #platform: Platform;
  readonly #now: () => number;
  readonly #live: LiveCore;
  /** Who listens to the circuit, and who holds it. */
  readonly circuit: Circuit;
  /** What it is set to. */
  readonly settings: LiveSettings;
  readonly #labelled = new LabelledCounts();
  readonly #shared: SharedState | undefined;
  readonly #upkeep: Upkeep;
  readonly #lookout: Lookout;
  readonly #short: ShortPath;
  readonly #statements = new Statements();
  readonly #options: SeawallOptions;
  readonly #layers: Layers | undefined;
  /** Null until it is known whether slow statements are noted. */
  #slow: SlowQueries | undefined | null = null;
  #isClosed = false;
  /** What it shares with other tenants, if anything. */
  capacity: Capacity | undefined;

  constructor(
    options: SeawallOptions,
    database: string,
    platform: Platform,
    circuit: Circuit,
    connections?: Connections,
  ) {
    this.#platform = platform;
    this.#now = platform.now;
    this.#options = options;
    this.circuit = circuit;
    this.#live = new LiveCore(options, database, platform, circuit, connections !== undefined);
    this.settings = this.#live.settings;
    if (options.layers !== undefined) {
      const settings = layerSettingsOf((group) => this.settings.effective(group));
      this.#layers = new Layers(options.layers, settings);
    }
    this.#upkeep = new Upkeep(connections, platform, this.#live);
    if (options.state !== undefined) {
      this.#shared = new SharedState(this.settings.stateOptions(options.state), database, platform, () =>
        this.#live.get(),
      );
    }
    this.#lookout = new Lookout(this.#live, this.#shared, this.#upkeep);
    this.#short = new ShortPath(this.#live, this.#lookout, platform, (operation, attempt, step, handle) =>
      this.#follow(operation, attempt, step, handle),
    );
  }

  kindOf(sql: string): StatementKind {
    return this.#statements.of(sql).kind;
  }

  /** What is known of a statement from its text. */
  statementOf(sql: string): Statement {
    return this.#statements.of(sql);
  }

  /** Who watches its operations, if anybody does. */
  get observer(): Observer | undefined {
    return undefined;
  }

  /** Which layers an operation goes without. */
  protected layersOf(operation: Operation): number {
    return this.#layers === undefined ? 0 : (operation.layers ?? this.#layers.bitsOf(operation));
  }

  protected get onSlowQuery(): SlowQueryListener | undefined {
    return this.#options.slowQuery?.onSlowQuery;
  }

  /** Where slow statements are noted; undefined when none are. */
  get slow(): SlowQueries | undefined {
    if (this.#slow === null) {
      const thresholdMs = this.#live.ask((core) => core.slowQueryMs());
      this.#slow = SlowQueries.above(thresholdMs, this.#platform, this.onSlowQuery);
    }
    return this.#slow;
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
    const layers = this.#layers === undefined ? 0 : this.#layers.fixed;
    if (handle === undefined || this.#shared?.isCold || layers < 0) return this.run(CALL, work);
    return this.#short.call(work, handle, layers);
  }

  /** Like {@link Driver.call}, but a refusal by an open circuit is a value: no promise, no error, no throw. */
  tryCall<T>(work: () => Promise<T>): Promise<T> | Refusal {
    const { handle } = this.#live;
    const layers = this.#layers === undefined ? 0 : this.#layers.fixed;
    if ((layers & BYPASS_BREAKER) !== 0) return this.call(work);
    return (handle && this.#short.refusal(handle)) ?? this.call(work);
  }

  async lease(operation: Operation): Promise<Lease> {
    if (this.#shared?.isCold) await this.#shared.warmUp();
    if (operation.signal?.aborted) throw aborted(operation.signal, "not_executed");
    const handle = this.#live.get();
    const layers = this.layersOf(operation);
    let step = handle.begin(this.#bitsOf(operation, layers), timeoutOf(operation, layers), this.#platform.now());
    this.#lookout.heed(step, handle);
    while ((step & 7) === Step.Wait || (step & 7) === Step.Check) {
      const call = step >>> 3;
      step = (step & 7) === Step.Check ? await this.#check(call, handle) : await this.#wait(operation, call, handle);
    }
    if ((step & 7) === Step.FailOpen) return UNGUARDED_LEASE;
    if ((step & 7) !== Step.Attempt) throw this.#lookout.ended(operation, step, handle, undefined);
    return holdLease(step >>> 3, handle, this.#now, (look) => this.#lookout.look(look));
  }

  async drain(deadlineMs = DRAIN_DEADLINE_MS): Promise<void> {
    this.close();
    const deadline = this.#platform.now() + deadlineMs;
    while (this.#live.running() > 0 && this.#platform.now() < deadline) await sleep(DRAIN_POLL_MS);
  }

  /** Refuses new operations; those in flight go on, those that wait are refused. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#live.close();
    for (const resume of [...this.#lookout.waiters.values()]) resume();
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
    this.#lookout.look(this.#live.get().look());
  }

  /** The tier in force. */
  get tier(): TierName | undefined {
    return this.#live.tier;
  }

  /** Takes another tier for what comes next; see `Controls.setTier`. */
  setTier(tier: TierName): void {
    this.#live.setTier(tier);
    this.#lookout.look(this.#live.get().look());
  }

  /** Whether anything runs or waits. */
  isBusy(): boolean {
    return this.#live.running() > 0;
  }

  /** What a successor must know; {@link Driver.resume} takes it. */
  leave(): Left {
    return this.#live.leave();
  }

  resume(left: Left): void {
    this.#live.resume(left);
  }

  /** Gives its memory back, after {@link Driver.close} and when nothing runs. */
  free(): void {
    this.#live.free();
  }

  /** How long things took, for metrics; undefined while nothing was asked of the database. */
  times(): Times | undefined {
    // One whose instance was replaced knows only where its numbers were.
    return this.#live.handle && this.#live.get().times();
  }

  /** The status document. */
  status(): Status {
    const running = this.#live.running();
    const slowQueries = SlowQueries.statusOf(this.slow);
    const memoryBytes = coreMemoryBytes();
    return Object.assign(this.#live.status(), { running, memoryBytes, wasmRestarts: coreGeneration(), slowQueries });
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
    this.#lookout.look(this.#live.get().look());
    return { ...view, unread };
  }

  /** What was counted of operations that their callers named. */
  operations(): OperationStatus[] {
    return this.#labelled.list();
  }

  /** Changes settings while it runs, whole or not at all. */
  configure(patch: SeawallOptions): void {
    this.#live.configure(patch);
  }

  /** Takes the settings of a document, whole or not at all. */
  importConfig(text: string): void {
    this.#live.importConfig(text);
  }

  /** Holds the circuit open or closed by hand; undefined lets it go. */
  forceState(state: "OPEN" | "CLOSED" | undefined, why?: string | Why): void {
    this.#live.force(state, why);
  }

  /** Closes the circuit and forgets its counts. */
  resetBreaker(why?: string | Why): void {
    this.#live.reset(why);
    this.#lookout.look(this.#live.get().look());
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
    const layers = this.layersOf(operation);
    const step = handle.begin(this.#bitsOf(operation, layers), timeoutOf(operation, layers), this.#platform.now());
    this.#lookout.heed(step, handle);
    return this.#follow(operation, attempt, step, handle);
  }

  async #follow<T>(operation: Operation, attempt: Attempt<T>, first: number, handle: CoreHandle): Promise<T> {
    let step = first;
    let failure: unknown;
    for (let attempts = 1; ; ) {
      switch (step & 7) {
        case Step.Attempt: {
          const call = step >>> 3;
          const ended = await attemptOnce(operation, attempt, call, handle, attempts, this.#now, this.capacity);
          attempts += 1;
          if ("value" in ended) {
            this.#lookout.look(handle.succeed(call, this.#platform.now()));
            return ended.value;
          }
          failure = ended.error;
          if (operation.signal?.aborted) {
            this.#lookout.look(handle.cancel(call, this.#platform.now()));
            throw aborted(operation.signal, outcomeOfLoss(operation));
          }
          step = handle.report(call, ended.judgement, this.#platform.now());
          this.#lookout.remember(handle);
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
          throw this.#lookout.ended(operation, step, handle, failure);
      }
    }
  }

  /** Waits beside a timer of this request, then asks the core again. */
  async #wait(operation: Operation, call: number, handle: CoreHandle): Promise<number> {
    const { signal } = operation;
    const delay = Math.min(Math.max(handle.read(Place.AtMs) - this.#platform.now(), 0), TIMER_MAX_MS);
    await new Promise<void>((resolve) => {
      const resume = () => {
        clearTimeout(timer);
        this.#lookout.waiters.delete(call);
        signal?.removeEventListener("abort", resume);
        resolve();
      };
      const timer = setTimeout(resume, delay);
      if (!this.#platform.isPolling) this.#lookout.waiters.set(call, resume);
      signal?.addEventListener("abort", resume, { once: true });
    });
    if (signal?.aborted) {
      this.#lookout.look(handle.cancel(call, this.#platform.now()));
      throw aborted(signal, "not_executed");
    }
    const step = handle.wake(call, this.#platform.now());
    this.#lookout.heed(step, handle);
    // Somebody else may go on as well: two leases can have come free before the first waiter woke.
    if ((step & 7) !== Step.Wait) this.#lookout.nudge(handle);
    return step;
  }

  /** Has the connection checked that a call is to use, and asks the core how to go on. */
  async #check(call: number, handle: CoreHandle): Promise<number> {
    const isWell = await this.#upkeep.check(handle.connectionOf(call), handle.read(Place.TimeoutMs));
    const step = handle.checked(call, isWell, this.#platform.now());
    this.#lookout.heed(step, handle);
    return step;
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

  #bitsOf(operation: Operation, layers: number): number {
    const { tier } = this.#live;
    const isUnsaid = tier !== undefined && operation.priority === undefined;
    const own = isUnsaid ? { ...operation, priority: priorityOf(tier) } : operation;
    return bitsOf(own, this.#live.policyOf(operation.retry)) | (layers & CORE_BITS);
  }
}

/** The deadline of its class, or its own; none where no layer stands in its way. */
function timeoutOf({ timeoutMs }: Operation, layers: number): number {
  return timeoutMs ?? ((layers & PLAIN) === 0 ? -1 : 0);
}

/** For a transaction that no policy watches. */
const UNGUARDED_LEASE: Lease = { leftMs: undefined, connection: 0, lapsed: false, vanished: false, release() {} };

/** For an attempt that no policy watches. Made when needed: Workers allow no signal at module scope. */
function unguarded(): AttemptContext {
  return { signal: new AbortController().signal, timeoutMs: 0, attempt: 1, connection: 0 };
}
