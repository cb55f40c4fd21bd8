// Carries an exchange out: the twin of src/worker/exchange.rs. The monitor asks, this answers; see src/http/exchange.rs.

import type { Change } from "../store/strong.ts";
import type { Monitor as Core } from "./generated/monitor.js";
import type { CoreRecord } from "./logs.ts";

/** A request as the routes see it. */
export interface Asked {
  method: string;
  path: string;
  query: string;
  /** The scheme and host that it was sent to. */
  origin?: string;
  headers: [string, string][];
  body: string;
  /** Why the body could not be read; it is empty then. */
  bodyProblem?: "tooLong" | "notText" | "unread";
}

/** A response as the routes give it. */
export interface Responded {
  status: number;
  headers: [string, string][];
  body: string;
}

/** A request to somebody else. Redirects are not followed. */
export interface Outgoing {
  url: string;
  method: string;
  headers: [string, string][];
  body: string;
  timeoutMs: number;
}

/** What operators ordered, as `Command` in src/orders/follow.rs has it. Without a database it is about all of them. */
export type Command =
  | { do: "hold"; database: string | null; state: "open" | "closed" | null; by: string; reason: string }
  | { do: "reset"; database: string | null; by: string; reason: string }
  | { do: "drain"; database: string | null; isAll: boolean }
  | { do: "configure"; settings: string }
  | { do: "tenants"; tenants: string };

/** What the routes ask. */
export type Question =
  | { ask: "facts"; probeAgeMaxMs?: number }
  | { ask: "allFacts"; probeAgeMaxMs: number }
  | { ask: "read"; key: string }
  | { ask: "readAll"; keys: string[] }
  | { ask: "swap"; changes: Change[] }
  | { ask: "list"; prefix: string }
  | { ask: "readCached"; key: string }
  | { ask: "putCached"; key: string; text: string }
  | ({ ask: "fetch" | "export" } & Outgoing)
  | { ask: "keys"; url: string; timeoutMs: number }
  | { ask: "verify"; modulus: string; exponent: string; signed: string; signature: string }
  | { ask: "chance" }
  | { ask: "logs" }
  | { ask: "obey"; commands: Command[] };

/** What the host found out. After a swap or a fetch that failed nobody knows whether it was done. */
export type Answer =
  | { facts: unknown }
  | { text: string | null }
  | { texts: (string | null)[] }
  | { swapped: boolean }
  | { keys: string[] }
  | { cached: boolean }
  | { verified: boolean }
  | { chance: string }
  | { logs: CoreRecord[] }
  | { fetched: { status: number; retryAfter: string | null } }
  | "obeyed"
  | { noStore: string }
  | { failed: string };

/** What the exchange needs of its host. */
export interface Host {
  now(): number;
  /** Never rejects. */
  answer(question: Question): Promise<Answer>;
}

type Step = { respond: Responded } | { done: true } | { id: number; question: Question };

/** Carries out what `begin` gives; undefined for work without a response. */
export async function carriedOut(
  core: Core,
  host: Host,
  begin: (nowMs: number, random: string) => string,
): Promise<Responded | undefined> {
  let step = JSON.parse(begin(host.now(), chance())) as Step;
  for (;;) {
    if ("respond" in step) return step.respond;
    if ("done" in step) return undefined;
    const answer = await host.answer(step.question);
    step = JSON.parse(core.answer(step.id, JSON.stringify(answer), host.now(), chance())) as Step;
  }
}

/** Chance that is fit for secrets, as hexadecimal digits. */
export function chance(bytes = 8): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}
