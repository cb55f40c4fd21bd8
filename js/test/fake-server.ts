// A client whose requests are answered by a function, and a guard that lets everything through.
import type { Config } from "../src/api.ts";
import type { ConsistencyOptions } from "../src/config/options.ts";
import { parseConfig } from "../src/config.ts";
import { Consistency } from "../src/consistency/consistency.ts";
import { checkConsistency } from "../src/consistency/settings.ts";
import type { AttemptContext, Guard, Lease, Operation } from "../src/operation.ts";
import { platform } from "../src/platform/platform.ts";
import { RemoteClient, type WireOptions } from "../src/remote-client.ts";

/** What the client asked for. */
export interface Asked {
  url: string;
  headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into it freely.
  body: any;
  signal: AbortSignal;
}

export type Answer = (asked: Asked) => unknown | Response | Promise<unknown | Response>;

export interface FakeClient {
  client: RemoteClient;
  asked: Asked[];
  operations: Operation[];
  leases: (Lease & { isReleased: boolean; lapsed: boolean; vanished: boolean })[];
  consistency: Consistency;
}

const never = new AbortController().signal;

/** A guard without policies that notes what it was asked. */
export function openGuard(operations: Operation[] = [], leases: FakeClient["leases"] = [], signal = never): Guard {
  return {
    kindOf: (sql) => (/^\s*(select|values)\b/i.test(sql) ? "read" : /^\s*insert\b/i.test(sql) ? "write" : "unknown"),
    run: <T>(operation: Operation, attempt: (cx: AttemptContext) => Promise<T>) => {
      operations.push(operation);
      return attempt({ signal, timeoutMs: 1_000, attempt: 1, connection: 0 });
    },
    lease: async (operation) => {
      operations.push(operation);
      const lease = {
        lapsed: false,
        vanished: false,
        leftMs: undefined,
        connection: 0,
        isReleased: false,
        release() {
          lease.isReleased = true;
        },
      };
      leases.push(lease);
      return lease;
    },
    drain: async () => {},
  };
}

/** A client in front of `answer`, which returns the JSON of a pipeline answer or a whole `Response`. */
export function fakeClient(
  answer: Answer,
  config: Partial<Config> = {},
  wire: WireOptions = {},
  signal?: AbortSignal,
  options: ConsistencyOptions = {},
): FakeClient {
  const asked: Asked[] = [];
  const operations: Operation[] = [];
  const leases: FakeClient["leases"] = [];
  const fetch = async (request: Request) => {
    const { url, headers, signal } = request;
    const one = { url, headers, signal, body: JSON.parse(await request.text()) };
    asked.push(one);
    const given = await answer(one);
    return given instanceof Response ? given : Response.json(given);
  };
  const checked = parseConfig({ url: "https://db.example.com", fetch, ...config });
  // Asked each time, so that a test may set the clock by hand.
  const clock = { ...platform, now: () => Date.now() };
  const consistency = new Consistency(checkConsistency(options), options.database ?? "db.example.com", clock);
  const client = new RemoteClient(checked, wire, consistency, () => openGuard(operations, leases, signal));
  return { client, asked, operations, leases, consistency };
}

/** Value cells of one row. */
export function cells(...values: (string | number | null)[]) {
  return values.map((value) => {
    if (value === null) return { type: "null" };
    if (typeof value === "string") return { type: "text", value };
    return Number.isInteger(value) ? { type: "integer", value: `${value}` } : { type: "float", value };
  });
}

/** The result of a statement. */
export function rowsOf(names: string[], ...rows: unknown[][]) {
  const cols = names.map((name) => ({ name, decltype: null }));
  return { cols, rows, affected_row_count: 0, last_insert_rowid: null };
}

/** A server that answers every statement with one row `{ n: 1 }`, and keeps a stream that was not closed. */
export function obliging({ body }: Asked): unknown {
  const result = rowsOf(["n"], cells(1));
  // biome-ignore lint/suspicious/noExplicitAny: the request is what the client made it.
  const results = body.requests.map((request: any) => {
    if (request.type === "execute") return ok("execute", result);
    if (request.type !== "batch") return ok(request.type);
    const { steps } = request.batch;
    return ok("batch", { step_results: steps.map(() => result), step_errors: steps.map(() => null) });
  });
  const isClosed = body.requests.at(-1)?.type === "close";
  return { baton: isClosed ? null : `${body.baton ?? ""}+`, base_url: null, results };
}

export function ok(type: string, result?: unknown) {
  return { type: "ok", response: { type, result } };
}

export function failed(code: string, message: string) {
  return { type: "error", error: { code, message } };
}

/** What `promise` rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<Error & Record<string, unknown>> {
  try {
    await promise;
  } catch (error) {
    return error as Error & Record<string, unknown>;
  }
  throw new Error("it did not reject");
}
