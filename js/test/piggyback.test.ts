// Questions that ride along with requests: what is sent, and that nobody notices.
import { describe, expect, test } from "vitest";
import { createClient } from "../src/client.ts";
import type { Passenger, Question } from "../src/hrana/piggyback.ts";
import { type Asked, cells, failed, obliging, ok, rejection, rowsOf } from "./fake-server.ts";

const EPOCH = "SELECT text FROM epoch WHERE key = ?";

/** A client in front of a server that answers the rider's statement by `answer`, and obliges otherwise. */
function clientOf({
  answer = () => ok("execute", rowsOf(["text"], cells("v1"))) as unknown,
  status = (): number => 200,
  options = {},
} = {}) {
  const asked: Asked["body"][] = [];
  const paths: string[] = [];
  const fetch = async (request: Request) => {
    const body = JSON.parse(await request.text());
    asked.push(body);
    paths.push(new URL(request.url).pathname);
    const code = status();
    if (code !== 200) return new Response("no such path", { status: code });
    const told = obliging({ body } as Asked) as { results: unknown[] };
    // biome-ignore lint/suspicious/noExplicitAny: the request is what the client made it.
    body.requests.forEach((one: any, at: number) => {
      if (one.stmt?.sql === EPOCH) told.results[at] = answer();
    });
    return Response.json(told);
  };
  const client = createClient({ url: "https://db.example.com", fetch, seawall: options });
  const heard: unknown[] = [];
  const ask: Passenger = () => ({
    statement: { sql: EPOCH, args: ["head"] },
    answered: ({ rows }) => heard.push(rows.map((row) => row.text)),
    failed: (error) => heard.push((error as Error).message),
  });
  /** The kinds of requests, with `epoch` for the rider's. */
  const sent = () =>
    asked.splice(0).map(({ requests }) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above.
      requests.map(({ type, stmt }: any) => (stmt?.sql === EPOCH ? "epoch" : type === "execute" ? stmt.sql : type)),
    );
  return { client, asked, paths, heard, ask, sent };
}

describe("what rides along", () => {
  test("FLG-08: a question comes after all that a request was sent for, and its answer is nobody else's", async () => {
    const { client, heard, ask, sent } = clientOf();
    const end = client.seawall.piggyback(ask);
    const result = await client.execute("SELECT 1");
    expect(result.rows).toHaveLength(1);
    expect(result.columns).toStrictEqual(["n"]);
    expect((await client.batch(["SELECT 1", "SELECT 2"], "write")).length).toBe(2);
    expect((await client.migrate(["CREATE TABLE t (a)"])).length).toBe(1);
    await client.executeMultiple("SELECT 1; SELECT 2");
    expect(sent().map((requests: string[]) => requests.filter((one) => one !== "store_sql"))).toStrictEqual([
      ["SELECT 1", "epoch", "close"],
      ["batch", "epoch", "close"],
      ["batch", "epoch", "close"],
      ["sequence", "epoch", "close"],
    ]);
    expect(heard).toStrictEqual([["v1"], ["v1"], ["v1"], ["v1"]]);
    end();
    await client.execute("SELECT 1");
    expect(sent()).toStrictEqual([["SELECT 1", "close"]]);
    expect(heard.length).toBe(4);
  });

  test("inside of a transaction nothing rides; behind its end something does", async () => {
    const { client, heard, ask, sent } = clientOf();
    client.seawall.piggyback(ask);
    await client.execute("SELECT 1");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO t VALUES (1)");
    await transaction.executeMultiple("SELECT 1; SELECT 2");
    expect(sent()).toStrictEqual([["SELECT 1", "epoch", "close"], ["batch"], ["sequence"]]);
    await transaction.commit();
    const other = await client.transaction("write");
    await other.execute("INSERT INTO t VALUES (1)");
    await other.rollback();
    expect(sent()).toStrictEqual([["COMMIT", "epoch", "close"], ["batch"], ["ROLLBACK", "epoch", "close"]]);
    expect(heard.length).toBe(3);
    const left = await client.transaction("write");
    await left.execute("INSERT INTO t VALUES (1)");
    left.close();
    await client.execute("SELECT 1");
    // A farewell asks nothing.
    expect(sent()).toStrictEqual([["batch"], ["close"], ["SELECT 1", "epoch", "close"]]);
  });

  test("whatever becomes of a question, the request is answered as if it were not there", async () => {
    const answers = [
      failed("SQL_INPUT_ERROR", "no such table: epoch"),
      { type: "ok", response: { type: "execute", result: { cols: 5 } } },
      { type: "maybe" },
      null,
    ];
    const { client, heard, ask } = clientOf({ answer: () => answers.shift() });
    client.seawall.piggyback(ask);
    for (let left = answers.length; left > 0; left -= 1) {
      expect((await client.execute("SELECT 1")).rows).toHaveLength(1);
    }
    expect(heard).toStrictEqual([
      "SQL_INPUT_ERROR: no such table: epoch",
      ...Array(3).fill(expect.stringContaining("The server's answer was not understood")),
    ]);
  });

  test("passengers that throw, ask for nothing or ask nonsense are left behind", async () => {
    const { client, heard, ask, sent } = clientOf();
    const thrower = (): Question => {
      throw new Error("mine");
    };
    const silly = () => ({ ...(ask() as Question), statement: { sql: EPOCH, args: [undefined as never] } });
    const deaf = () => ({ ...(ask() as Question), answered: thrower });
    for (const passenger of [thrower, () => undefined, silly, deaf]) {
      const end = client.seawall.piggyback(passenger as Passenger);
      expect((await client.execute("SELECT 1")).rows).toHaveLength(1);
      end();
    }
    expect(sent()).toStrictEqual([...Array(3).fill(["SELECT 1", "close"]), ["SELECT 1", "epoch", "close"]]);
    expect(heard).toStrictEqual([]);
    expect(() => client.seawall.piggyback(5 as never)).toThrow(TypeError);
    for (let i = 0; i < 4; i += 1) client.seawall.piggyback(ask);
    expect(() => client.seawall.piggyback(ask)).toThrow("4 passengers are the most");
    await client.execute("SELECT 1");
    expect(heard.length).toBe(4);
  });

  test("a request that failed answers no question, and an error of the statement is its own", async () => {
    let code = 500;
    const { client, heard, ask, paths } = clientOf({ status: () => code, options: { retry: { attempts: 1 } } });
    client.seawall.piggyback(ask);
    await rejection(client.execute("INSERT INTO t VALUES (1)"));
    expect(heard).toStrictEqual([]);
    // A server that speaks version 2 alone is asked twice, and answers once.
    paths.length = 0;
    let asks = 0;
    const old = clientOf({ status: () => (asks++ === 0 ? 404 : 200) });
    old.client.seawall.piggyback(old.ask);
    await old.client.execute("SELECT 1");
    expect([old.paths, old.heard]).toStrictEqual([["/v3/pipeline", "/v2/pipeline"], [["v1"]]]);
    code = 200;
    await client.execute("SELECT 1");
    expect(heard.length).toBe(1);
  });

  test("databases of a cluster are asked as well, and so are clients that were opened again", async () => {
    const { client, heard, ask, sent } = clientOf();
    client.seawall.piggyback(ask);
    await client.reconnect();
    await client.execute("SELECT 1");
    client.seawall.registerDatabase("other", "https://other.example.com", { readOnly: true });
    await Promise.all(Array.from({ length: 8 }, () => client.execute("SELECT 1")));
    expect(sent().filter((requests: string[]) => requests.includes("epoch")).length).toBe(9);
    expect(heard.length).toBe(9);
    await client.seawall.withConsistency(undefined).execute("SELECT 1");
    expect(heard.length).toBe(10);
  });
});
