// Flags from a file, read once more at SIGHUP.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createFlags } from "seawall/flags";

const FILE = new URL("flags.json", import.meta.url);
const COOKIE = /(?:^|;\s*)visitor=([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:;|$)/;

// Once, outside of requests. A file with a fault ends the start, with all that is wrong.
const flags = createFlags({ definitions: readFileSync(FILE, "utf8") });

process.on("SIGHUP", () => {
  try {
    for (const warning of flags.update(readFileSync(FILE, "utf8"))) console.warn(warning);
    console.log(`revision ${flags.revision} holds`);
  } catch (error) {
    // What held before holds on.
    console.error(/** @type {Error} */ (error).message);
  }
});

const server = createServer((request, response) => {
  // The same browser is the same visitor, and has the same variants.
  const known = COOKIE.exec(request.headers.cookie ?? "")?.[1];
  const visitor = known ?? randomUUID();
  if (known === undefined) {
    response.setHeader("set-cookie", `visitor=${visitor}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax`);
  }

  // Once for each request; every question after that costs some nanoseconds.
  const user = flags.for({ targetingKey: visitor, tenant: request.headers["x-tenant"] });

  response.setHeader("content-type", "application/json");
  response.end(
    JSON.stringify({
      visitor,
      checkout: user.boolean("new-checkout") ? "new" : "old",
      headline: user.string("headline", "Parcels"),
      invoices: user.boolean("invoices"),
    }),
  );
});

server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  console.log(`http://127.0.0.1:${port}`);
});
