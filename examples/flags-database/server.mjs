// Flags in the database that each request asks anyway: what an operator has killed comes along with the answer.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFlags } from "seawall/flags";
import { db } from "./database.mjs";

const COOKIE = /(?:^|;\s*)visitor=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:;|$)/;

// Once, outside of requests. The file holds until the database has told what was ordered.
const flags = createFlags({
  database: db,
  definitions: readFileSync(new URL("flags.json", import.meta.url), "utf8"),
  // Each round trip asks. Without this one in 100 ms does, which a busy server does not notice.
  piggybackIntervalMs: 0,
});
flags.on("refused", ({ error }) => console.error(error.message));
console.log(String(flags.propagation));

await db.execute("CREATE TABLE IF NOT EXISTS parcels (id INTEGER PRIMARY KEY, tenant TEXT NOT NULL)");

const server = createServer(async (request, response) => {
  response.setHeader("content-type", "application/json");
  try {
    response.end(JSON.stringify(await answer(request, response)));
  } catch (error) {
    // Flags are no reason to get here: they answer from what holds, also while the database is gone.
    console.error(error);
    response.writeHead(503).end(JSON.stringify({ error: "the database does not answer" }));
  }
});

/** @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response */
async function answer(request, response) {
  // The same browser is the same visitor, and has the same variants.
  const known = COOKIE.exec(request.headers.cookie ?? "")?.[1];
  const visitor = known ?? randomUUID();
  if (known === undefined) {
    response.setHeader("set-cookie", `visitor=${visitor}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`);
  }

  // Nothing is sent for flags: what was killed holds as soon as this has its answer.
  const tenant = request.headers["x-tenant"];
  const { rows } = await db.execute("SELECT count(*) AS parcels FROM parcels WHERE tenant = ?", [tenant ?? ""]);

  const user = flags.for({ targetingKey: visitor, tenant });
  return {
    visitor,
    parcels: rows[0]?.parcels,
    checkout: user.boolean("new-checkout") ? "new" : "old",
    headline: user.string("headline", "Parcels"),
    invoices: user.boolean("invoices"),
  };
}

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}`);
});
