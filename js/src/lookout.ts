// What the core asks to be looked at: somebody who waits and may go on, a change to tell of, a store to read or write.

import type { Circuit } from "./circuit.ts";
import type { Upkeep } from "./connections.ts";
import { type CoreHandle, Look, Step } from "./core.ts";
import type { LiveCore } from "./live-core.ts";
import type { Operation } from "./operation.ts";
import type { SharedState } from "./state.ts";
import { errorOf } from "./verdict.ts";

/** Looks, after a step or a report, at what the core says is to be looked at. */
export class Lookout {
  /** Waiting calls to resume when a lease is free; empty where requests must not resume each other. */
  readonly waiters = new Map<number, () => void>();
  readonly #live: LiveCore;
  readonly #circuit: Circuit;
  readonly #shared: SharedState | undefined;
  readonly #upkeep: Upkeep;

  constructor(live: LiveCore, shared: SharedState | undefined, upkeep: Upkeep) {
    this.#live = live;
    this.#circuit = live.circuit;
    this.#shared = shared;
    this.#upkeep = upkeep;
  }

  look(look: number): void {
    if (look === 0) return;
    const handle = this.#live.get();
    if ((look & Look.Notes) !== 0) this.#live.tell(handle);
    if ((look & Look.Waiter) !== 0) this.nudge(handle);
    if ((look & Look.Store) !== 0) this.#shared?.tick();
    if ((look & Look.Pool) !== 0) this.#upkeep.tend();
  }

  /** After a question: an attempt may have begun half-open, and a refusal may be the first sign of what others found. */
  heed(step: number, handle: CoreHandle): void {
    if (this.#circuit.isTroubled !== ((step & 7) === Step.Refuse)) this.look(handle.look());
  }

  /** After a failure: the state may have changed, which the fallback and the store should know. */
  remember(handle: CoreHandle): void {
    this.look(handle.look());
    this.#live.remember(handle);
  }

  /** The error of a step that ends an operation. While all are refused, this is when a recovery can be heard of. */
  ended(operation: Operation, step: number, handle: CoreHandle, failure: unknown): unknown {
    const error = errorOf(operation, step, handle, failure);
    this.refused(handle);
    return error;
  }

  /** After a refusal without a step. */
  refused(handle: CoreHandle): void {
    if (this.#shared !== undefined) this.look(handle.look());
  }

  /** Resumes the call that waits for the lease that is free. */
  nudge(handle: CoreHandle): void {
    if (this.waiters.size === 0) return;
    const next = handle.nextWaiter();
    if (next >= 0) this.waiters.get(next)?.();
  }
}
