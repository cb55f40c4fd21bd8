// What Seawall adds to a client: to look at the policies and to hold them by hand.

import type { Driver } from "./driver.ts";
import type { ConnectionStatus, Status } from "./status.ts";

/** The states of a circuit. */
export const CircuitState = { CLOSED: "CLOSED", HALF_OPEN: "HALF_OPEN", OPEN: "OPEN" } as const;
export type CircuitState = (typeof CircuitState)[keyof typeof CircuitState];

/** The breaker, to look at and to hold. */
export interface CircuitBreakerControls {
  /** State, failures in the window, successes and admitted attempts since the start or the last reset. */
  getMetrics(): { state: CircuitState; failures: number; successes: number; requests: number };
  /**
   * Holds the circuit open (everything is refused) or closed (nothing is counted) until {@link release} or {@link reset}.
   *
   * @throws `RangeError` for `HALF_OPEN`, which is a passage and not a place to stay.
   */
  forceState(state: CircuitState): void;
  /** Lets go of a forced state: open goes on to probing, closed starts to count. */
  release(): void;
  /** Closes the circuit with zero counters, and tells other isolates. */
  reset(): void;
}

/** Seawall's own surface of a client. */
export interface Controls {
  /** State and counters of all policies in this isolate. */
  status(): Status;
  /** The pool's connections with their last changes. */
  connections(): ConnectionStatus[];
  readonly circuitBreaker: CircuitBreakerControls;
  /** Refuses new operations and waits, at most `deadlineMs` (10,000), until those in flight have ended. */
  drain(deadlineMs?: number): Promise<void>;
}

/** Controls over whichever driver the client has at the moment. */
export function controlsOf(driver: () => Driver): Controls {
  return {
    status: () => driver().status(),
    connections: () => driver().connections(),
    drain: (deadlineMs) => driver().drain(deadlineMs),
    circuitBreaker: {
      getMetrics() {
        const { state, failures, successes, requests } = driver().status().breaker;
        return { state, failures, successes, requests };
      },
      forceState(state) {
        if (state !== CircuitState.OPEN && state !== CircuitState.CLOSED) {
          throw new RangeError(`A circuit can be forced OPEN or CLOSED, got ${JSON.stringify(state)}`);
        }
        driver().forceState(state);
      },
      release: () => driver().forceState(undefined),
      reset: () => driver().resetBreaker(),
    },
  };
}
