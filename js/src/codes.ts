// Written from src/error.rs by `UPDATE=1 cargo test --test conformance generated`. Do not edit.

import type { Origin, RetryAdvice } from "./errors.ts";

/** What the core's table says about one code. */
export interface CodeFacts {
  readonly name: string;
  readonly origin: Origin;
  readonly retry: RetryAdvice;
  readonly what: string;
  readonly remedy: string;
  /** `what` and `remedy` in one string. */
  readonly message: string;
}

/** In the order of the codes' numbers, from 1. */
export const CODES: readonly CodeFacts[] = [
  {
    name: "CIRCUIT_OPEN",
    origin: "policy",
    retry: "at",
    what: "The circuit is open: the database was failing, so nothing was sent.",
    remedy: "Ask again at retryAtMs, or serve something else meanwhile.",
    message:
      "The circuit is open: the database was failing, so nothing was sent. Ask again at retryAtMs, or serve something else meanwhile.",
  },
  {
    name: "POOL_TIMEOUT",
    origin: "policy",
    retry: "if_repeatable",
    what: "No lease came free within the acquire timeout; nothing was sent.",
    remedy: "Raise connectionPool.maxConnections or acquireTimeout, or hold transactions for less time.",
    message:
      "No lease came free within the acquire timeout; nothing was sent. Raise connectionPool.maxConnections or acquireTimeout, or hold transactions for less time.",
  },
  {
    name: "POOL_QUEUE_FULL",
    origin: "policy",
    retry: "if_repeatable",
    what: "The queue for leases is full; nothing was sent.",
    remedy: "Raise connectionPool.maxConnections or maxQueue, or send less at once.",
    message:
      "The queue for leases is full; nothing was sent. Raise connectionPool.maxConnections or maxQueue, or send less at once.",
  },
  {
    name: "CLIENT_CLOSED",
    origin: "caller",
    retry: "never",
    what: "The client is closed; nothing was sent.",
    remedy: "Create another client, or call reconnect().",
    message:
      "The client is closed; nothing was sent. Create another client, or call reconnect().",
  },
  {
    name: "DEADLINE_EXCEEDED",
    origin: "upstream",
    retry: "if_repeatable",
    what: "The operation did not end within its deadline.",
    remedy: "Give it a longer timeout, or look at why the database is slow.",
    message:
      "The operation did not end within its deadline. Give it a longer timeout, or look at why the database is slow.",
  },
  {
    name: "OUTCOME_UNKNOWN",
    origin: "upstream",
    retry: "if_repeatable",
    what: "The answer to a write was lost: outcome unknown, it may have been applied.",
    remedy: "Read back what it would have changed before sending it again.",
    message:
      "The answer to a write was lost: outcome unknown, it may have been applied. Read back what it would have changed before sending it again.",
  },
  {
    name: "RETRIES_EXHAUSTED",
    origin: "upstream",
    retry: "if_repeatable",
    what: "Every attempt that the retry policy allows has failed.",
    remedy: "See the cause, which is the last attempt's own error.",
    message:
      "Every attempt that the retry policy allows has failed. See the cause, which is the last attempt's own error.",
  },
  {
    name: "LEASE_LAPSED",
    origin: "policy",
    retry: "if_repeatable",
    what: "The transaction held its lease longer than its deadline, so the lease was taken back.",
    remedy: "Do less inside the transaction, or raise timeouts.transaction.",
    message:
      "The transaction held its lease longer than its deadline, so the lease was taken back. Do less inside the transaction, or raise timeouts.transaction.",
  },
  {
    name: "ILLEGAL_TRANSITION",
    origin: "ours",
    retry: "never",
    what: "The connection's state does not allow this operation.",
    remedy: "Report it with the history that the message holds.",
    message:
      "The connection's state does not allow this operation. Report it with the history that the message holds.",
  },
  {
    name: "OVERLOADED",
    origin: "policy",
    retry: "if_repeatable",
    what: "Too many operations run at once in this isolate; nothing was sent.",
    remedy: "Send less at once.",
    message:
      "Too many operations run at once in this isolate; nothing was sent. Send less at once.",
  },
  {
    name: "ABORTED",
    origin: "caller",
    retry: "never",
    what: "The caller's signal was aborted.",
    remedy: "Nothing: this was asked for. A write that was already sent may have been applied.",
    message:
      "The caller's signal was aborted. Nothing: this was asked for. A write that was already sent may have been applied.",
  },
  {
    name: "REPLICA_BEHIND",
    origin: "upstream",
    retry: "if_repeatable",
    what: "The replica did not catch up with an earlier write in time, and consistency.onTimeout is error.",
    remedy: "Ask again, raise consistency.waitTimeout, or let consistency.onTimeout be stale to take an older answer.",
    message:
      "The replica did not catch up with an earlier write in time, and consistency.onTimeout is error. Ask again, raise consistency.waitTimeout, or let consistency.onTimeout be stale to take an older answer.",
  },
  {
    name: "CONSISTENCY_TOKEN_INVALID",
    origin: "caller",
    retry: "never",
    what: "The consistency token is garbled or belongs to another database; nothing was sent.",
    remedy: "Drop it and go on without one.",
    message:
      "The consistency token is garbled or belongs to another database; nothing was sent. Drop it and go on without one.",
  },
  {
    name: "NO_ENDPOINT",
    origin: "caller",
    retry: "never",
    what: "No registered database may take the operation; nothing was sent.",
    remedy: "Ask for tags that one of them has, and send writes to one that is not read-only.",
    message:
      "No registered database may take the operation; nothing was sent. Ask for tags that one of them has, and send writes to one that is not read-only.",
  },
  {
    name: "RATE_LIMITED",
    origin: "policy",
    retry: "at",
    what: "More operations came than rateLimit.rate and rateLimit.burst allow; nothing was sent.",
    remedy: "Ask again at retryAtMs, or send less.",
    message:
      "More operations came than rateLimit.rate and rateLimit.burst allow; nothing was sent. Ask again at retryAtMs, or send less.",
  },
  {
    name: "QUERY_TOO_EXPENSIVE",
    origin: "policy",
    retry: "never",
    what: "By its plan, the statement would visit more rows than queryCost.limit allows; it was not run.",
    remedy: "Add an index that it can use, ask for less, or raise queryCost.limit.",
    message:
      "By its plan, the statement would visit more rows than queryCost.limit allows; it was not run. Add an index that it can use, ask for less, or raise queryCost.limit.",
  },
  {
    name: "SECRET_UNREADABLE",
    origin: "caller",
    retry: "never",
    what: "A stored secret was sealed with a key that was not given, or is not as it was sealed.",
    remedy: "Give every key that is still in use in SEAWALL_CRYPTO_KEY, the newest first, or store it anew.",
    message:
      "A stored secret was sealed with a key that was not given, or is not as it was sealed. Give every key that is still in use in SEAWALL_CRYPTO_KEY, the newest first, or store it anew.",
  },
  {
    name: "TENANT_SUSPENDED",
    origin: "policy",
    retry: "never",
    what: "An operator has suspended the tenant; nothing was sent.",
    remedy: "Ask whoever runs the service, or take the suspension back.",
    message:
      "An operator has suspended the tenant; nothing was sent. Ask whoever runs the service, or take the suspension back.",
  },
];

/** Why the circuit changed, in the order of the reasons' numbers, from 0. */
export const CHANGES = [
  "failure_count",
  "failure_ratio",
  "slow_ratio",
  "consecutive_failures",
  "open_time_elapsed",
  "probe_failed",
  "recovered",
  "forced",
  "reset",
  "shared_state",
  "health_check_failed",
] as const;
