// One attempt beside one timer of its own request.

import { type CoreHandle, judge, judgeClass, OutcomeClass, Place } from "./core.ts";
import { type Failure, failureOf, makeError } from "./errors.ts";
import type { Attempt, Operation } from "./operation.ts";
import type { Capacity } from "./tenants/capacity.ts";
import { priorityOf } from "./tenants/tier.ts";

/** Node's timers overflow beyond this, in milliseconds. */
export const TIMER_MAX_MS = 2_147_483_647;

/** The deadline passed before it was the tenant's turn: that says nothing of the database. */
function tooLate(): Error {
  return makeError(
    "POOL_TIMEOUT",
    "The tenants' shared capacity did not come free within the deadline; nothing was sent.",
    {
      origin: "policy",
      retry: "if_repeatable",
      outcome: "not_executed",
    },
  );
}

/** How an attempt ended: with a value, or with an error and what the core makes of it. */
export type Ended<T> = { readonly value: T } | { readonly error: unknown; readonly judgement: number };

/** An error that nobody attached facts to came from our caller's own code: it says the database did not do its part. */
export function judgementOf(error: unknown, factsOf?: Operation["factsOf"]): number {
  let failure: Failure | undefined;
  try {
    failure = failureOf(error) ?? factsOf?.(error);
  } catch {
    // Anything can be thrown, also what throws when it is looked at: nothing is known of it.
  }
  return failure === undefined ? judge(0, "", true) : judge(failure.status, failure.code, failure.sent);
}

/**
 * Makes attempt number `number` of a call. The timer renews its lease, asks for a second leg if it is a read that may
 * have one, and at the deadline ends the attempt, as does the caller's signal; both abort the request. Never rejects.
 */
export function attemptOnce<T>(
  operation: Operation,
  attempt: Attempt<T>,
  call: number,
  handle: CoreHandle,
  number: number,
  now: () => number,
  capacity?: Capacity,
): Promise<Ended<T>> {
  const timeoutMs = handle.read(Place.TimeoutMs);
  const renewMs = Math.max(handle.read(Place.RenewMs), 1);
  // A second leg would take more of what is shared.
  let hedgeMs = (capacity === undefined && handle.read(Place.HedgeMs)) || Number.POSITIVE_INFINITY;
  /** While it waits for its share of the capacity, the database has not been asked. */
  let isAsking = capacity === undefined;
  const { signal } = operation;
  return new Promise((resolve) => {
    const first = new AbortController();
    let second: AbortController | undefined;
    /** Legs that are out. */
    let out = 1;
    let timer: ReturnType<typeof setTimeout>;
    let left = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
    let isSettled = false;
    const settle = (ended: Ended<T>) => {
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      resolve(ended);
    };
    const end = (outcome: number, reason: unknown) => {
      if (isSettled) return;
      settle({ error: reason, judgement: judgeClass(outcome) });
      first.abort(reason);
      second?.abort(reason);
    };
    const onAbort = () => end(OutcomeClass.Aborted, signal?.reason);
    const legEnded = (ended: Ended<T>, own: AbortController) => {
      if (isSettled) return;
      if (out === 2) {
        out = 1;
        const judgement = "value" in ended ? judgeClass(OutcomeClass.Success) : ended.judgement;
        if (handle.endLeg(call, own === second, judgement, now())) return;
        (own === first ? second : first)?.abort();
      }
      settle(ended);
    };
    const start = (own: AbortController) => {
      let running: Promise<T>;
      try {
        const connection = operation.connection ?? (own === second ? 0 : handle.connectionOf(call));
        const cx = { signal: own.signal, timeoutMs, attempt: number, connection };
        const begin = () => {
          isAsking = true;
          handle.restart(call, now());
          return attempt(cx);
        };
        const begun = capacity === undefined ? attempt(cx) : capacity.enter(priorityOf(handle.tier), own.signal, begin);
        // A function of the application's own may return what is no promise.
        running = Promise.resolve(begun);
      } catch (error) {
        running = Promise.reject(error);
      }
      running.then(
        (value) => legEnded({ value }, own),
        (error) => {
          const judgement = isAsking ? judgementOf(error, operation.factsOf) : judgeClass(OutcomeClass.Aborted);
          legEnded({ error, judgement }, own);
        },
      );
    };
    const hedge = () => {
      const answer = handle.hedge(call, now());
      hedgeMs = answer > 0 ? answer : Number.POSITIVE_INFINITY;
      if (answer !== 0) return;
      out = 2;
      second = new AbortController();
      start(second);
    };
    const arm = () => {
      const delay = Math.min(left, renewMs, hedgeMs, TIMER_MAX_MS);
      timer = setTimeout(() => {
        left -= delay;
        hedgeMs -= delay;
        if (left <= 0) return isAsking ? end(OutcomeClass.Timeout, undefined) : end(OutcomeClass.Aborted, tooLate());
        handle.renew(call, now());
        if (hedgeMs <= 0) hedge();
        arm();
      }, delay);
    };
    arm();
    signal?.addEventListener("abort", onAbort, { once: true });
    start(first);
  });
}
