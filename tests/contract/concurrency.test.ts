import { setImmediate } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { contract, countOf, differs, onlyValue, prepare } from "./contract.ts";

/** A `fetch` that holds each request until it is released, and counts those that are held. */
function gatedFetch() {
  let release: () => void = () => undefined;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const arrivals = { now: 0, most: 0, total: 0 };
  let arrived: () => void = () => undefined;
  return {
    arrivals,
    release: () => release(),
    /** Resolves once `count` requests are held. */
    held: (count: number) =>
      new Promise<void>((resolve) => {
        arrived = () => arrivals.now >= count && resolve();
        arrived();
      }),
    fetch: async (request: Request) => {
      arrivals.now += 1;
      arrivals.total += 1;
      arrivals.most = Math.max(arrivals.most, arrivals.now);
      arrived();
      await released;
      try {
        return await fetch(request);
      } finally {
        arrivals.now -= 1;
      }
    },
  };
}

contract("concurrency", (peer) => {
  test("a hundred executes at once each get their own answer", async () => {
    const client = peer.open();
    const results = await Promise.all(
      Array.from({ length: 100 }, (_, i) => client.execute({ sql: "SELECT ? + 0", args: [i] })),
    );
    expect(results.map((result) => onlyValue(result))).toStrictEqual(Array.from({ length: 100 }, (_, i) => i));
  });

  test("failures among them are only their own", async () => {
    const client = peer.open();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 60 }, (_, i) => client.execute(i % 3 === 0 ? `SELECT missing_${i}` : `SELECT ${i}`)),
    );
    outcomes.forEach((outcome, i) => {
      if (outcome.status === "fulfilled") expect(onlyValue(outcome.value)).toBe(i);
      else expect(String(outcome.reason)).toContain(`missing_${i}`);
      expect(outcome.status).toBe(i % 3 === 0 ? "rejected" : "fulfilled");
    });
  });

  test("a hundred writes at once are all kept", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE written (a)");
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => client.execute({ sql: "INSERT INTO written VALUES (?)", args: [i] })),
    );
    expect(await countOf(client, "written")).toBe(100);
  });

  test("a hundred batches at once each see a whole state", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE ones (a)", "CREATE TABLE tens (a)");
    await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const results = await client.batch(
          [
            { sql: "INSERT INTO ones VALUES (?)", args: [i] },
            { sql: "INSERT INTO tens VALUES (?)", args: [i * 10] },
            "SELECT (SELECT SUM(a) FROM ones), (SELECT SUM(a) FROM tens)",
          ],
          "write",
        );
        const sums = results[2]?.rows[0];
        expect(sums?.[1]).toBe((sums?.[0] as number) * 10);
      }),
    );
    expect(onlyValue(await client.execute("SELECT SUM(a) FROM tens"))).toBe(49_500);
  });

  test("eight write transactions at once are serialized", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE counter (n INTEGER)", "INSERT INTO counter VALUES (0)");
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        const transaction = await client.transaction("write");
        try {
          const n = onlyValue(await transaction.execute("SELECT n FROM counter")) as number;
          await transaction.execute({ sql: "UPDATE counter SET n = ?", args: [n + 1] });
          await transaction.commit();
        } finally {
          transaction.close();
        }
      }),
    );
    expect(onlyValue(await client.execute("SELECT n FROM counter"))).toBe(8);
  });

  test("every kind of call at once", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE mixed (a)");
    const one = async () => expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    const several = async () => expect(await client.batch(["SELECT 1", "SELECT 2"], "read")).toHaveLength(2);
    const script = () => client.executeMultiple("INSERT INTO mixed VALUES (1); INSERT INTO mixed VALUES (2)");
    const interactive = async () => {
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO mixed VALUES (3)");
      await transaction.commit();
    };
    await Promise.all(Array.from({ length: 40 }, (_, i) => [one, several, script, interactive][i % 4]?.()));
    expect(await countOf(client, "mixed")).toBe(30);
  });

  test("ten clients at once on one database", async () => {
    const clients = Array.from({ length: 10 }, () => peer.open());
    const results = await Promise.all(clients.map((client, i) => client.execute(`SELECT ${i}`)));
    expect(results.map((result) => onlyValue(result))).toStrictEqual(clients.map((_, i) => i));
  });

  describe("the concurrency option", () => {
    test.each([1, 2, 5])("of %i is never exceeded, and everything is answered", async (concurrency) => {
      const gate = gatedFetch();
      const client = peer.open({ concurrency, fetch: gate.fetch });
      const calls = Array.from({ length: 12 }, (_, i) => client.execute(`SELECT ${i}`));
      await gate.held(1);
      await setImmediate();
      gate.release();
      const results = await Promise.all(calls);
      expect(results.map((result) => onlyValue(result))).toStrictEqual(calls.map((_, i) => i));
      expect(gate.arrivals.most).toBeLessThanOrEqual(concurrency);
      expect(gate.arrivals.total).toBe(12);
    });

    test("lets two calls overlap when nothing is set", async () => {
      const gate = gatedFetch();
      const client = peer.open({ fetch: gate.fetch });
      const calls = [client.execute("SELECT 1"), client.execute("SELECT 2")];
      await gate.held(2);
      gate.release();
      await Promise.all(calls);
    });

    differs(peer, "concurrency 0 lifts the limit", {
      upstream: async () => {
        const gate = gatedFetch();
        const client = peer.open({ concurrency: 0, fetch: gate.fetch });
        const calls = Array.from({ length: 30 }, (_, i) => client.execute(`SELECT ${i}`));
        await gate.held(20);
        await setImmediate();
        expect(gate.arrivals.now).toBe(20);
        gate.release();
        await Promise.all(calls);
      },
      ours: async () => {
        const gate = gatedFetch();
        const client = peer.open({
          concurrency: 0,
          fetch: gate.fetch,
          seawall: { connectionPool: { maxConnections: 30 } },
        });
        const calls = Array.from({ length: 30 }, (_, i) => client.execute(`SELECT ${i}`));
        await gate.held(30);
        gate.release();
        await Promise.all(calls);
      },
    });
  });
});
