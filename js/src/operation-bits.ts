// An operation as one number: what crosses into the core when a call begins. Twin of `Query::from_bits` in src/query.rs.

import type { Priority } from "./config/options.ts";
import type { Operation } from "./operation.ts";

/** Numbers of the classes of operations. */
export const CLASS_BITS = { query: 0, transaction: 1, batch: 2, healthCheck: 3 } as const;

const KIND_BITS = { read: 0, write: 1 << 4, unknown: 2 << 4 } as const;
const IDEMPOTENT = 1 << 6;
export const HELD = 1 << 7;
export const BYPASS_BREAKER = 1 << 8;
const RETRY_POLICY = 9;
export const NO_SECOND_LEG = 1 << 13;
const PRIORITY_BITS = { medium: 0, high: 1 << 14, critical: 2 << 14, low: 3 << 14 } as const;

/** The bits of an operation; `retryPolicy` is the number of its own retry policy, 0 for none. */
export function bitsOf(operation: Operation, retryPolicy = 0): number {
  let bits = CLASS_BITS[operation.class] | KIND_BITS[operation.kind] | (retryPolicy << RETRY_POLICY);
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
