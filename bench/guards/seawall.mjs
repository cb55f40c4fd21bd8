import { createClient, createGuard } from "seawall";
import { createFlags } from "seawall/flags";

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

/** The layers that are flags, but for `ENABLE_DETAILED_LOGGING`, which costs what writing its lines costs. */
const LAYERS = [
  "ENABLE_CONNECTION_POOL",
  "ENABLE_STATE_MACHINE",
  "ENABLE_CIRCUIT_BREAKER",
  "ENABLE_ENTERPRISE_MONITORING",
];

/** Layers that so many per cent of the traffic have. @param {number} percent */
function layersOf(percent) {
  const own = { rules: [{ rollout: percent, serve: "on" }] };
  const flags = createFlags({
    definitions: { version: 1, flags: Object.fromEntries(LAYERS.map((key) => [key, own])) },
    env: {},
  });
  for (const key of LAYERS) {
    if (flags.constant(key) !== (percent === 100)) throw new Error(`${key} is not what ${percent} % make it`);
  }
  return { flags, key: "tenant-7" };
}

/** One query through the whole client; its database answers in this process. @param {ReturnType<typeof layersOf>} [layers] */
function queryWith(layers) {
  const db = createClient({ url: "http://db.example", fetch: answer, seawall: { ...(layers && { layers }) } });
  return async () => (await db.execute("SELECT one FROM t")).rows[0]?.one;
}

export const variants = {
  query: () => queryWith(),
  "layers-off": () => queryWith(layersOf(0)),
  "layers-on": () => queryWith(layersOf(100)),
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
