// One attempt beside one timer of its own request.

import { type CoreHandle, judge, judgeClass, OutcomeClass, Place } from "./core.ts";
import { failureOf } from "./errors.ts";
import type { Attempt, Operation } from "./operation.ts";

/** Node's timers overflow beyond this, in milliseconds. */
export const TIMER_MAX_MS = 2_147_483_647;

/** How an attempt ended: with a value, or with an error and what the core makes of it. */
export type Ended<T> = { readonly value: T } | { readonly error: unknown; readonly judgement: number };

/** An error that nobody attached facts to came from our caller's own code: it says the database did not do its part. */
export function judgementOf(error: unknown, factsOf?: Operation["factsOf"]): number {
  const failure = failureOf(error) ?? factsOf?.(error);
  return failure === undefined ? judge(0, "", true) : judge(failure.status, failure.code, failure.sent);
}

/**
 * Makes attempt number `number` of a call. The timer renews its lease, and at the deadline ends the attempt, as does
 * the caller's signal; both abort the request. Never rejects.
 */
export function attemptOnce<T>(
  operation: Operation,
  attempt: Attempt<T>,
  call: number,
  handle: CoreHandle,
  number: number,
  now: () => number,
): Promise<Ended<T>> {
  const timeoutMs = handle.read(Place.TimeoutMs);
  const renewMs = handle.read(Place.RenewMs);
  const { signal } = operation;
  return new Promise((resolve) => {
    const controller = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    let left = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
    let isSettled = false;
    const settle = (ended: Ended<T>) => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      resolve(ended);
    };
    const end = (outcome: number, reason: unknown) => {
      settle({ error: reason, judgement: judgeClass(outcome) });
      controller.abort(reason);
    };
    const onAbort = () => end(OutcomeClass.Aborted, signal?.reason);
    const arm = () => {
      const delay = Math.min(left, Math.max(renewMs, 1), TIMER_MAX_MS);
      timer = setTimeout(() => {
        left -= delay;
        if (left <= 0) {
          end(OutcomeClass.Timeout, undefined);
        } else {
          handle.renew(call, now());
          arm();
        }
      }, delay);
    };
    arm();
    signal?.addEventListener("abort", onAbort, { once: true });
    let running: Promise<T>;
    try {
      running = attempt({ signal: controller.signal, timeoutMs, attempt: number });
    } catch (error) {
      running = Promise.reject(error);
    }
    running.then(
      (value) => settle({ value }),
      (error) => settle({ error, judgement: judgementOf(error, operation.factsOf) }),
    );
  });
}
