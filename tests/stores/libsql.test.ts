// A table in a real libSQL server, through @libsql/client and through ours.
import { createClient as createPlain } from "@libsql/client";
import { createClient } from "seawall";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { libsqlStore, strongLibsqlStore } from "../../js/src/store/libsql.ts";
import type { Store, StoreCaps } from "../../js/src/store/store.ts";
import { freePort, type Sqld, startSqld } from "../support/sqld.mjs";
import { strongStoreSuite } from "./strong-suite.ts";
import { expectNoSecrets, rejection, storeSuite } from "./suite.ts";

const CAPS: StoreCaps = { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true };
const TOKEN = "eyJ0-t0ken-that-nobody-may-see";
const TIMEOUT = 30_000;

let server: Sqld;

beforeAll(async () => {
  server = await startSqld();
});
afterAll(() => server?.stop());

describe.each([
  ["@libsql/client", createPlain, "plain_hints"],
  ["ours", createClient as unknown as typeof createPlain, undefined],
])("libSQL through %s", (name, create, table) => {
  strongStoreSuite("its strong table", async () => {
    const [one, two] = [create({ url: server.url }), create({ url: server.url })];
    const gone = create({ url: `http://127.0.0.1:${await freePort()}`, authToken: TOKEN });
    const options = { timeout: TIMEOUT, ...(table !== undefined && { table: "plain_strong" }) };
    return {
      store: strongLibsqlStore({ client: one, ...options }),
      beside: strongLibsqlStore({ client: two, ...options }),
      broken: strongLibsqlStore({ client: gone }),
      refusesCrowds: name === "ours",
      ...(name !== "ours" && {
        program: {
          imports: `import { createClient } from "@libsql/client/http";
            import { strongLibsqlStore } from "../../js/src/store/libsql.ts";`,
          store: `strongLibsqlStore({ client: createClient({ url: ${JSON.stringify(server.url)} }), ...${JSON.stringify(options)} })`,
        },
      }),
      secrets: [TOKEN],
      stop: async () => [one, two, gone].map((client) => client.close()),
    };
  });

  storeSuite("its table", CAPS, async () => {
    const [one, two] = [create({ url: server.url }), create({ url: server.url })];
    const gone = create({ url: `http://127.0.0.1:${await freePort()}`, authToken: TOKEN });
    const named = table === undefined ? {} : { table };
    return {
      store: libsqlStore({ client: one, timeout: TIMEOUT, ...named }),
      beside: libsqlStore({ client: two, timeout: TIMEOUT, ...named }),
      broken: libsqlStore({ client: gone }),
      secrets: [TOKEN],
      stop: async () => [one, two, gone].map((client) => client.close()),
    };
  });
});

/** A client that notes what it is asked. */
function watched(): { client: Parameters<typeof libsqlStore>[0]["client"]; asked: string[] } {
  const client = createPlain({ url: server.url });
  const asked: string[] = [];
  return {
    asked,
    client: {
      execute(statement) {
        asked.push(statement.sql.trim().split(/\s/)[0] ?? "");
        return client.execute(statement);
      },
    },
  };
}

describe("the table", () => {
  it("is made when it is missing, and costs nothing when it is there", async () => {
    const { client, asked } = watched();
    const table = "made_when_missing";
    expect(await libsqlStore({ client, table }).get("key")).toBeNull();
    expect(asked).toEqual(["SELECT", "CREATE", "SELECT"]);
    asked.length = 0;
    const store = libsqlStore({ client, table });
    await store.put("key", "text", 60);
    expect(await store.get("key")).toBe("text");
    expect(asked).toEqual(["INSERT", "SELECT"]);
  });

  it("is made once by stores that begin at once", async () => {
    const stores = Array.from({ length: 10 }, () =>
      libsqlStore({ client: createPlain({ url: server.url }), table: "made_at_once", timeout: TIMEOUT }),
    );
    await Promise.all(stores.map((store, index) => store.put(String(index), "text", 60)));
    expect(await (stores[0] as Store).list?.("")).toHaveLength(10);
  });

  it("of another kind is an error that says so", async () => {
    const client = createPlain({ url: server.url });
    await client.execute("CREATE TABLE occupied (id INTEGER)");
    const error = await rejection(() => libsqlStore({ client, table: "occupied" }).get("key"));
    expect(error.message).toContain("no such column");
  });
});

describe("beside a breaker", () => {
  it("says with every statement that it bypasses it, so that a recovery can be told", async () => {
    const client = createClient({
      url: server.url,
      seawall: { circuitBreaker: { failureThreshold: 1 }, retry: { attempts: 1 } },
    });
    client.seawall.circuitBreaker.forceState("OPEN");
    await expect(client.execute("SELECT 1")).rejects.toMatchObject({ code: "CIRCUIT_OPEN" });
    const store = libsqlStore({ client: client as never, table: "bypassed", timeout: TIMEOUT });
    await store.put("key", "text", 60);
    expect(await store.get("key")).toBe("text");
    client.close();
  });
});

describe("options", () => {
  it("that are wrong are named", async () => {
    const client = { execute: async () => ({ rows: [], rowsAffected: 0 }) };
    expect(() => libsqlStore(undefined as never)).toThrow("libsqlStore needs { client }");
    expect(() => libsqlStore(client as never)).toThrow("with the methods execute; it got undefined");
    for (const table of ["", "1st", "a b", "a;DROP", 'a"', "é", "x".repeat(64)]) {
      expect(() => libsqlStore({ client, table })).toThrow("table is up to 63 letters");
    }
    expect(() => libsqlStore({ client, timeout: 0 })).toThrow("libsqlStore: timeout");
  });

  it("a server that hangs is an error in time, without the token", async () => {
    const client = { execute: () => new Promise<never>(() => {}) };
    const error = await rejection(() => libsqlStore({ client, timeout: 100 }).get("key"));
    expect(error.message).toBe("the libsql store did not answer within 100 ms");
    expectNoSecrets(error, [TOKEN]);
  });
});
