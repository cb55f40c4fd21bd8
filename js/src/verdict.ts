// The errors that the driver makes: what a step says, in the words of the core's table of codes.

import { CODES, type CodeFacts } from "./codes.ts";
import { type CoreHandle, Ending, Place, Step } from "./core.ts";
import { makeError, type OperationOutcome, type ResilienceError } from "./errors.ts";
import type { Operation } from "./operation.ts";
import { CLASS_BITS } from "./operation-bits.ts";
import { STATES } from "./status.ts";
import { remedyOf } from "./tenants/tier.ts";

/** Numbers of the codes that the driver tells apart. */
const Code = {
  CircuitOpen: 1,
  PoolTimeout: 2,
  PoolQueueFull: 3,
  DeadlineExceeded: 5,
  OutcomeUnknown: 6,
  RetriesExhausted: 7,
  Aborted: 11,
} as const;

/** What is known of an operation's effect when an answer was lost: a read has none, and what is undone has none. */
export function outcomeOfLoss(operation: Operation): OperationOutcome {
  return operation.kind === "read" || operation.undoable === true ? "not_executed" : "unknown";
}

/** The same when policies ended the call between attempts. Only an idempotent write is tried again after a loss. */
function outcomeSoFar(operation: Operation, attempts: number): OperationOutcome {
  return attempts > 0 && operation.idempotent === true ? outcomeOfLoss(operation) : "not_executed";
}

/** The error for a step that ended a call without a result; `cause` is the last attempt's own error, if there was one. */
export function errorOf(operation: Operation, step: number, handle: CoreHandle, cause: unknown): unknown {
  const detail = handle.read(Place.Detail);
  const attempts = handle.read(Place.Attempts);
  if ((step & 7) === Step.Refuse) return refused(operation, detail, attempts, handle, cause);
  const handsOn = cause === undefined ? undefined : operation.handsOnErrors;
  if (handsOn === "all" || (handsOn === "losses" && detail !== Ending.RetriesExhausted)) return cause;
  switch (detail) {
    case Ending.OutcomeUnknown:
      return failed(operation, facts(Code.OutcomeUnknown), "unknown", attempts, cause);
    case Ending.DeadlineExceeded:
      // With an error of its own, it was the server who gave up: HTTP 408.
      if (cause === undefined) return late(operation, attempts, handle);
      return outcomeOfLoss(operation) === "unknown"
        ? failed(operation, facts(Code.OutcomeUnknown), "unknown", attempts, cause)
        : cause;
    case Ending.RetriesExhausted:
      return failed(operation, facts(Code.RetriesExhausted), outcomeSoFar(operation, attempts), attempts, cause);
    default:
      return cause;
  }
}

/** The error for a caller who went away. */
export function aborted(signal: AbortSignal, outcome: OperationOutcome): ResilienceError {
  const { name, message, origin, retry } = facts(Code.Aborted);
  return makeError(name, message, { origin, retry, outcome, cause: signal.reason });
}

function facts(code: number): CodeFacts {
  return CODES[code - 1] as CodeFacts;
}

function refused(operation: Operation, code: number, attempts: number, handle: CoreHandle, cause: unknown) {
  const { name, message, what, remedy, origin, retry } = facts(code);
  const retryAtMs = handle.read(Place.AtMs);
  const text = attempts === 0 ? message : `${what} Attempts before: ${attempts}. ${remedy}`;
  const isExhausted = code === Code.PoolTimeout || code === Code.PoolQueueFull;
  const tier = isExhausted && handle.tier !== undefined ? remedyOf(handle.tier, handle.bounds()) : "";
  return makeError(name, text + tier, {
    origin,
    retry,
    retryAtMs: retryAtMs === Number.POSITIVE_INFINITY ? undefined : retryAtMs,
    outcome: outcomeSoFar(operation, attempts),
    cause,
    state: code === Code.CircuitOpen ? STATES[handle.read(Place.State)] : undefined,
    attempts,
    timeout: operation.timeoutMs,
    operationName: operation.name,
  });
}

function failed(operation: Operation, facts: CodeFacts, outcome: OperationOutcome, attempts: number, cause: unknown) {
  const { name, message, origin, retry } = facts;
  return makeError(name, message, { origin, retry, outcome, cause, attempts, operationName: operation.name });
}

function late(operation: Operation, attempts: number, handle: CoreHandle): ResilienceError {
  const { name, remedy, origin, retry } = facts(Code.DeadlineExceeded);
  const timeout = operation.timeoutMs ?? handle.core.timeoutOf(CLASS_BITS[operation.class]);
  const outcome = outcomeOfLoss(operation);
  const unknown = outcome === "unknown" ? " Outcome unknown: it may have been applied." : "";
  const message = `The operation did not end within its deadline of ${timeout} ms.${unknown} ${remedy}`;
  return makeError(name, message, { origin, retry, outcome, attempts, timeout, operationName: operation.name });
}
