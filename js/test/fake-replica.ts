// A replica and its primary, as a client sees them: indexes in a log, and reads that wait for as long as it takes.
import type { Asked } from "./fake-server.ts";
import { cells, ok, rowsOf } from "./fake-server.ts";

export class FakeReplica {
  /** How far the primary's log is, and how far the replica has copied it. */
  primary = 10;
  replica = 10;
  /** Whatever needs the primary hangs. */
  isPrimaryDead = false;
  /** Nothing is answered, and whoever asks is cut off after a second. */
  isHung = false;
  /** A server that does not tell indexes has none. */
  tells = true;
  /** What each pipeline asked for, in order; undefined where it asked for nothing. */
  readonly indexes: (string | undefined)[] = [];

  readonly answer = async ({ body, signal }: Asked): Promise<unknown> => {
    const results: unknown[] = [];
    let asked: string | undefined;
    for (const request of body.requests) asked ??= request.stmt?.replication_index ?? request.batch?.replication_index;
    this.indexes.push(asked);
    if (this.isHung) await hang(AbortSignal.any([signal, cutOff()]));
    for (const request of body.requests) results.push(await this.#result(request, signal));
    const isClosed = body.requests.at(-1)?.type === "close";
    return { baton: isClosed ? null : `${body.baton ?? ""}+`, base_url: null, results };
  };

  // biome-ignore lint/suspicious/noExplicitAny: the request is what the client made it.
  async #result(request: any, signal: AbortSignal): Promise<unknown> {
    const { type, stmt, batch } = request;
    const statements: string[] = stmt ? [stmt.sql] : (batch?.steps ?? []).map((step: typeof request) => step.stmt.sql);
    const floor = Number(stmt?.replication_index ?? batch?.replication_index ?? 0);
    const writes = statements.filter((sql) => /^insert/i.test(sql)).length + (type === "sequence" ? 2 : 0);
    const isPassedOn = writes > 0 || statements.some((sql) => /^savepoint/i.test(sql));
    if (isPassedOn ? this.isPrimaryDead : floor > this.replica) await hang(signal);
    this.primary += writes;
    if (type !== "execute" && type !== "batch") return ok(type);
    const index = this.tells ? `${isPassedOn ? this.primary : this.replica}` : null;
    const row = { ...rowsOf(["at"], cells(this.replica)), replication_index: batch ? null : index };
    if (stmt) return ok(type, row);
    const steps = { step_results: statements.map(() => row), step_errors: statements.map(() => null) };
    return ok(type, { ...steps, replication_index: index });
  }
}

function hang(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

function cutOff(): AbortSignal {
  const own = new AbortController();
  setTimeout(() => own.abort(new Error("the connection was cut")), 1_000);
  return own.signal;
}
