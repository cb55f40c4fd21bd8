// A Worker behind the wall: one client at module scope for all requests of the isolate, and hints in KV for all isolates.
import { env } from "cloudflare:workers";
import { createClient, DatabaseCircuitBreakerError, LibsqlError, ResilienceError, workersKvStore } from "seawall";

const db = createClient({
  url: env.TURSO_DATABASE_URL,
  authToken: env.TURSO_AUTH_TOKEN,
  seawall: { ...env.SEAWALL, state: { ...env.SEAWALL?.state, store: workersKvStore(env.SEAWALL_KV) } },
});

const SHIPS = "SELECT name, tonnes FROM ships ORDER BY name";
/** Most queries that `/refusals` runs for one request. */
const REFUSALS_MAX = 20_000;

/** `/`: rows as JSON. */
async function ships(): Promise<Response> {
  return Response.json((await db.execute(SHIPS)).rows);
}

/** `/tx`: two statements that hold together. */
async function arrive(): Promise<Response> {
  const tx = await db.transaction("write");
  try {
    const { rows } = await tx.execute("SELECT id, name FROM ships ORDER BY random() LIMIT 1");
    const ship = rows[0];
    if (ship === undefined) return new Response("No ships. Load schema.sql first.", { status: 404 });
    await tx.execute({ sql: "INSERT INTO arrivals (ship, at_ms) VALUES (?, ?)", args: [ship.id ?? null, Date.now()] });
    await tx.commit();
    return Response.json({ arrived: ship.name });
  } finally {
    tx.close();
  }
}

/** `/refusals?n=200`: how many of `n` queries the circuit refused, and what each of the `n` cost. */
async function refusals(url: URL): Promise<Response> {
  const count = Math.min(Math.max(Number(url.searchParams.get("n")) || 200, 1), REFUSALS_MAX);
  let refused = 0;
  const began = performance.now();
  for (let index = 0; index < count; index += 1) {
    try {
      await db.execute(SHIPS);
    } catch (error) {
      if (error instanceof DatabaseCircuitBreakerError) refused += 1;
    }
  }
  // Deployed Workers stop their clock between two I/Os, so that a refusal takes 0 there: measure under `wrangler dev`.
  const microsecondsEach = ((performance.now() - began) * 1_000) / count;
  return Response.json({ queries: count, refused, microsecondsEach });
}

/** The refusal or the database's error, with the code to look up in docs/errors.md. */
function failed(error: unknown): Response {
  if (!(error instanceof LibsqlError)) throw error;
  const { code, message } = error;
  if (!(error instanceof ResilienceError)) return Response.json({ code, message }, { status: 502 });
  const waitMs = Math.max((error.retryAtMs ?? 0) - Date.now(), 0);
  const headers = { "retry-after": String(Math.ceil(waitMs / 1_000)) };
  return Response.json({ code, message, retryAtMs: error.retryAtMs }, { status: 503, headers });
}

export default {
  async fetch(request) {
    const url = new URL(request.url);
    try {
      switch (url.pathname) {
        case "/":
          return await ships();
        case "/tx":
          return await arrive();
        case "/state":
          return Response.json(db.seawall.status());
        case "/refusals":
          return await refusals(url);
        default:
          return new Response("Not found", { status: 404 });
      }
    } catch (error) {
      return failed(error);
    }
  },
} satisfies ExportedHandler;
