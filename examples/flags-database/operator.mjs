// Orders as an operator gives them, by the routes of a monitor whose store is the same database:
//   node operator.mjs publish | kill [flag …] | release
// Who runs the Worker of Seawall, or a server with a monitor, sends it the same requests.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createMonitor } from "seawall/monitor";
import { strongLibsqlStore } from "seawall/stores/libsql";
import { db } from "./database.mjs";

const [verb = "", ...named] = process.argv.slice(2);
const reason = `${verb} by operator.mjs`;

/** Method, path and body of each. Without names, everything is killed. */
const ORDERS = {
  publish: () => {
    const value = JSON.parse(readFileSync(new URL("flags.json", import.meta.url), "utf8"));
    return ["PUT", "/orders/flags", { value, reason }];
  },
  kill: () => ["POST", "/kill", { reason, ...(named.length > 0 && { flags: named }) }],
  release: () => ["POST", "/kill/release", { reason }],
};
const order = ORDERS[/** @type {keyof typeof ORDERS} */ (verb)];
if (order === undefined) throw new Error(`there is no order ${JSON.stringify(verb)}: publish, kill or release`);

// Nobody else can ask this monitor, so nobody needs to know its token.
const adminToken = `${randomUUID()}${randomUUID()}`;
const monitor = createMonitor({ databases: { primary: db }, store: strongLibsqlStore({ client: db }), adminToken });
try {
  const [method, path, body] = /** @type {[string, string, object]} */ (order());
  const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json", "if-match": "*" };
  const request = new Request(`https://localhost/admin/api${path}`, { method, headers, body: JSON.stringify(body) });
  const response = await monitor.handle(request);
  console.log(response.status, await response.text());
  if (!response.ok) process.exitCode = 1;
} finally {
  monitor.close();
  db.close();
}
