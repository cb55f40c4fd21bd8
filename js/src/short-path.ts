// The shortest way through the policies: for functions that need no signal, and are not repeated after a lost answer.

import { judgementOf, TIMER_MAX_MS } from "./attempt.ts";
import { type CoreHandle, judgeClass, OutcomeClass, Place, Step } from "./core.ts";
import { RENEWAL_MAX_MS } from "./held-lease.ts";
import { CORE_BITS, PLAIN } from "./layers.ts";
import type { LiveCore } from "./live-core.ts";
import type { Lookout } from "./lookout.ts";
import type { Attempt, Operation, Refusal } from "./operation.ts";
import { bitsOf } from "./operation-bits.ts";
import type { Platform } from "./platform/platform.ts";
import { errorOf } from "./verdict.ts";

const OPEN = 2;

/** Goes on with an operation from a step of its call. */
export type Follow = <T>(operation: Operation, attempt: Attempt<T>, step: number, handle: CoreHandle) => Promise<T>;

/** A running call and what happens when its work has ended. */
interface Slot {
  call: number;
  /** Of the core that knows the call: to another one its number means nothing. */
  handle: CoreHandle;
  work: (() => Promise<unknown>) | undefined;
  succeeded(value: unknown): unknown;
  failed(error: unknown): Promise<never>;
}

/** What every operation of the short path is to the policies. */
export const CALL: Operation = { class: "query", kind: "unknown" };
const CALL_BITS = bitsOf(CALL);
/** The part of a call's id that is its place in the core's table. */
const CALL_INDEX_MASK = (1 << 14) - 1;

/** Runs functions under the policies of one driver. Whatever is not simple goes on in the driver's loop. */
export class ShortPath {
  readonly #live: LiveCore;
  readonly #lookout: Lookout;
  readonly #platform: Platform;
  readonly #now: () => number;
  readonly #follow: Follow;
  readonly #slots: Slot[] = [];
  #renewal: ReturnType<typeof setTimeout> | undefined;
  #refusal: Refusal | undefined;

  constructor(live: LiveCore, lookout: Lookout, platform: Platform, follow: Follow) {
    this.#live = live;
    this.#lookout = lookout;
    this.#platform = platform;
    this.#now = platform.now;
    this.#follow = follow;
  }

  /** `layers` are bits as `Layers` gives them, 0 for all layers. */
  call<T>(work: () => Promise<T>, handle: CoreHandle, layers: number): Promise<T> {
    const timeoutMs = (layers & PLAIN) === 0 ? -1 : 0;
    const step = handle.begin(CALL_BITS | (layers & CORE_BITS), timeoutMs, this.#now());
    this.#lookout.heed(step, handle);
    switch (step & 7) {
      case Step.Attempt:
        return this.#attempt(work, step >>> 3, handle);
      case Step.Refuse:
        return rejectSoon(this.#lookout.ended(CALL, step, handle, undefined));
      default:
        return this.#follow(CALL, work, step, handle);
    }
  }

  /** The refusal as a value, if the circuit is open. */
  refusal(handle: CoreHandle): Refusal | undefined {
    if (handle.breakerState(this.#now()) !== OPEN) return undefined;
    this.#lookout.refused(handle);
    const retryAtMs = handle.core.retryAt();
    if (this.#refusal?.retryAtMs !== retryAtMs) {
      this.#refusal = Object.freeze({ refused: true, code: "CIRCUIT_OPEN", retryAtMs });
    }
    return this.#refusal;
  }

  /** The first attempt: without a signal, and with a timer only if it needs one. */
  #attempt<T>(work: () => Promise<T>, call: number, handle: CoreHandle): Promise<T> {
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
      try {
        return running.then(slot.succeeded as (value: T) => T, slot.failed);
      } catch {
        // A function of the application's own may return what is no promise.
        return Promise.resolve(running).then(slot.succeeded as (value: T) => T, slot.failed);
      }
    }
    const renewMs = isAlone ? Math.max(handle.read(Place.RenewMs), 1) : Number.POSITIVE_INFINITY;
    return this.#timed(running, work, call, handle, timeoutMs, renewMs);
  }

  /** Waits for an attempt beside one timer, which ends it at the deadline and renews its lease until then. */
  #timed<T>(
    running: Promise<T>,
    work: () => Promise<T>,
    call: number,
    handle: CoreHandle,
    timeoutMs: number,
    renewMs: number,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      let left = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const fail = (ended: { error: unknown; judgement: number }) => {
        timer = undefined;
        this.#settle(work, ended, call, handle).then(resolve, reject);
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
      Promise.resolve(running).then(
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
        return this.#settle(work as () => Promise<never>, ended, slot.call, slot.handle);
      },
    };
    this.#slots[index] = slot;
    return slot;
  }

  #succeeded<T>(value: T, call: number, handle: CoreHandle): T {
    const look = handle.succeed(call, this.#now());
    if (look !== 0) this.#lookout.look(look);
    return value;
  }

  /** Goes on after a first attempt that failed. */
  async #settle<T>(
    work: () => Promise<T>,
    ended: { error: unknown; judgement: number },
    call: number,
    handle: CoreHandle,
  ): Promise<T> {
    const step = handle.report(call, ended.judgement, this.#now());
    this.#lookout.remember(handle);
    if ((step & 7) === Step.FailOpen) throw ended.error;
    if ((step & 7) === Step.Wait) return this.#follow(CALL, work, step, handle);
    throw errorOf(CALL, step, handle, ended.error);
  }
}

/** Rejects in the next microtask: by then somebody listens, and the runtime need not note a rejection that nobody handles. */
function rejectSoon(error: unknown): Promise<never> {
  return new Promise((_, reject) => {
    Promise.resolve().then(() => reject(error));
  });
}
