import { createClient, createGuard } from "seawall";

const work = async () => 1;
const DAY_MS = 86_400_000;

/** Opened by failures, as in life, not by hand. */
async function opened() {
  const guard = createGuard({ circuitBreaker: { recoveryTimeout: DAY_MS } }, "bench");
  for (let i = 0; i < 10; i += 1) await guard.call(() => Promise.reject(new Error("down"))).catch(() => {});
  return guard;
}

/** Answers every read with one row, one column. */
export async function answer() {
  const column = { name: "one", decltype: null };
  const result = { cols: [column], rows: [[{ type: "integer", value: "1" }]], affected_row_count: 0 };
  return Response.json({
    baton: null,
    base_url: null,
    results: [
      { type: "ok", response: { type: "execute", result } },
      { type: "ok", response: { type: "close" } },
    ],
  });
}

export const variants = {
  /** A read that is kept, by its only argument, through the whole client. */
  hit: async () => {
    const db = createClient({ url: "http://db.example", fetch: answer, seawall: { queryCache: { enabled: true } } });
    for (let id = 0; id < 1_000; id += 1) await db.execute("SELECT one FROM t WHERE id = ?", [id]);
    let id = 0;
    return async () => {
      id = (id + 1) % 1_000;
      return (await db.execute("SELECT one FROM t WHERE id = ?", [id])).rows[0]?.one;
    };
  },
  call: () => {
    const guard = createGuard({ timeouts: { query: 0 } }, "bench");
    return () => guard.call(work);
  },
  deadline: () => {
    const guard = createGuard({}, "bench");
    return () => guard.call(work);
  },
  refusal: async () => {
    const guard = await opened();
    return () => guard.call(work);
  },
  "refusal-value": async () => {
    const guard = await opened();
    return () => guard.tryCall(work);
  },
};
