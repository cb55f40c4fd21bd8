// The token of a client changes while it runs. Time is hand-set.

import { inspect } from "node:util";
import { expect, test } from "vitest";
import { obliging } from "./fake-server.ts";
import { handSetClock, rejection } from "./guards.ts";
import { tracedClient } from "./traced.ts";

handSetClock();

const CONFIG = { authToken: "token-1" };
type Asked = { headers: Headers | Record<string, string> };
const shownBy = (asked: unknown) => new Headers((asked as Asked).headers as HeadersInit).get("authorization");

test("SEC-07: what is asked from now on shows the new token, and what was refused with the old one shows it once more", async () => {
  const shown: (string | null)[] = [];
  let rotate: (() => void) | undefined;
  const { client } = tracedClient(
    {},
    (asked: unknown) => {
      shown.push(shownBy(asked));
      const isOld = shown.at(-1) === "Bearer token-1";
      rotate?.();
      return rotate !== undefined && isOld ? new Response("revoked", { status: 401 }) : obliging(asked as never);
    },
    CONFIG,
  );
  await client.execute("SELECT 1");
  // It is revoked and replaced while a write is on its way.
  rotate = () => client.seawall.rotateAuthToken("token-2");
  await client.execute("INSERT INTO t VALUES (1)");
  await client.execute("SELECT 1");
  expect(shown).toEqual(["token-1", "token-1", "token-2", "token-2"].map((token) => `Bearer ${token}`));
  client.close();
});

test("SEC-07: a token that is refused and was not replaced is an error, at once", async () => {
  let requests = 0;
  const refuse = () => {
    requests += 1;
    return new Response("no", { status: 401 });
  };
  const { client } = tracedClient({}, refuse, CONFIG);
  expect(await rejection(client.execute("SELECT 1"))).toMatchObject({ message: expect.stringContaining("401") });
  expect(requests).toBe(1);
  // It says nothing of the database: the settings are wrong.
  for (let more = 0; more < 10; more += 1) await rejection(client.execute("SELECT 1"));
  expect(client.seawall.status().breaker.state).toBe("CLOSED");
  client.close();
});

test.each<[string, unknown]>([
  ["nothing", undefined],
  ["an empty text", " "],
  ["two lines", "canary-a\r\nx-admin: 1"],
  ["a text with spaces", "canary-a b"],
  ["no ASCII", "canary-ä"],
  ["an object", { token: "canary-a" }],
])("SEC-07: %s is no token, is not shown, and changes nothing", async (_name, token) => {
  const shown: (string | null)[] = [];
  const { client } = tracedClient(
    {},
    (asked: unknown) => {
      shown.push(shownBy(asked));
      return obliging(asked as never);
    },
    CONFIG,
  );
  let error: unknown;
  try {
    client.seawall.rotateAuthToken(token as string);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TypeError);
  expect(inspect(error)).not.toContain("canary");
  await client.execute("SELECT 1");
  expect(shown).toEqual(["Bearer token-1"]);
  client.close();
});

test("SEC-07: a token that is asked for is asked for again, and cannot be set beside", async () => {
  const tokens = ["a", "b", "c"];
  const shown: (string | null)[] = [];
  const { client } = tracedClient({ authToken: () => tokens.shift() as string }, (asked: unknown) => {
    shown.push(shownBy(asked));
    return shown.at(-1) === "Bearer a" ? new Response("no", { status: 401 }) : obliging(asked as never);
  });
  await client.execute("SELECT 1");
  expect(shown).toEqual(["Bearer a", "Bearer b"]);
  expect(() => client.seawall.rotateAuthToken("x")).toThrow(/is a function here/);
  client.close();
});

test("SEC-07: databases that have the client's token get the new one, others keep theirs", async () => {
  const shown = new Map<string, string | null>();
  const { client } = tracedClient(
    { loadBalancing: { strategy: "round_robin" } },
    (asked: unknown) => {
      shown.set(new URL((asked as { url: string }).url).host, shownBy(asked));
      return obliging(asked as never);
    },
    CONFIG,
  );
  const { seawall } = client;
  seawall.registerDatabase("shares", "https://shares.example");
  seawall.registerDatabase("own", "https://own.example", { authToken: "own-1" });
  seawall.registerDatabase("inside", "https://inside.example?authToken=inside-1");
  seawall.rotateAuthToken("token-2");
  seawall.registerDatabase("late", "https://late.example");
  const ask = async () => {
    for (let turn = 0; turn < 20; turn += 1) await client.execute("SELECT 1");
    return Object.fromEntries([...shown].map(([host, token]) => [host.split(".")[0], token?.replace("Bearer ", "")]));
  };
  expect(await ask()).toMatchObject({ shares: "token-2", own: "own-1", inside: "inside-1", late: "token-2" });
  seawall.rotateAuthToken("own-2", "own");
  seawall.rotateAuthToken("token-3", "primary");
  expect(await ask()).toMatchObject({
    shares: "token-2",
    own: "own-2",
    inside: "inside-1",
    late: "token-2",
    db: "token-3",
  });
  expect(() => seawall.rotateAuthToken("x", "nobody")).toThrow(/no database named "nobody"/);
  client.close();
});

test("SEC-07: each token that a client has shown is unknown to its logs", async () => {
  const records: unknown[] = [];
  const { client } = tracedClient(
    { logging: { level: "debug", errorMessages: true, sink: (record: unknown) => records.push(record) } },
    () => new Response("refused token-1 and canary-token-2", { status: 500 }),
    CONFIG,
  );
  client.seawall.rotateAuthToken("canary-token-2");
  await rejection(client.execute({ sql: "INSERT INTO t VALUES (1)" }));
  expect(records.length).toBeGreaterThan(0);
  expect(JSON.stringify(records)).not.toMatch(/canary|token-1/);
  client.close();
});
