import { describe, expect, test } from "vitest";
import { failureOf, LibsqlBatchError, ResilienceError } from "../src/errors.ts";
import { type Asked, cells, failed, fakeClient, obliging, ok, rejection, rowsOf } from "./fake-server.ts";

const close = { type: "close" };
const texts = (asked: Asked) =>
  asked.body.requests.map(
    (request: { type: string; stmt?: { sql: string }; batch?: { steps: { stmt: { sql: string } }[] } }) =>
      request.batch ? request.batch.steps.map(({ stmt }) => stmt.sql).join(";") : (request.stmt?.sql ?? request.type),
  );
const http = (status: number, body: string) =>
  new Response(body, { status, headers: { "content-type": "application/json" } });
const expired = () => http(400, '{"message":"The stream has expired due to inactivity","code":"STREAM_EXPIRED"}');

/** A client that has already settled on version 3. */
async function settled(answer: Parameters<typeof fakeClient>[0] = obliging) {
  let isSettled = false;
  const fake = fakeClient((asked) => (isSettled ? answer(asked) : obliging(asked)));
  await fake.client.execute("SELECT 1");
  isSettled = true;
  fake.asked.length = 0;
  fake.operations.length = 0;
  return fake;
}

describe("requests", () => {
  test("BEGIN goes with the first statement, COMMIT with close, one request a step", async () => {
    const { client, asked, operations, leases } = await settled();
    const transaction = await client.transaction("write");
    expect(asked).toHaveLength(0);
    await transaction.execute("INSERT INTO t VALUES (1)");
    await transaction.execute("SELECT 1");
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([false, false]);
    await transaction.commit();
    expect(asked.map(texts)).toEqual([["BEGIN IMMEDIATE;INSERT INTO t VALUES (1)"], ["SELECT 1"], ["COMMIT", "close"]]);
    expect(asked.map(({ body }) => body.baton)).toEqual([undefined, "+", "++"]);
    expect(asked[1]?.body.requests[0].batch.steps[0].condition).toEqual({
      type: "not",
      cond: { type: "is_autocommit" },
    });
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
    expect(operations).toMatchObject([
      { class: "transaction", kind: "write" },
      { class: "transaction", kind: "write", held: true },
      { class: "transaction", kind: "read", held: true },
      { class: "transaction", kind: "write", held: true },
    ]);
  });

  test("statements started at once travel at once, in order", async () => {
    const { client, asked } = await settled();
    const transaction = await client.transaction("deferred");
    const first = Promise.all(["A", "B", "C"].map((sql) => transaction.execute(sql)));
    await new Promise((resolve) => setTimeout(resolve, 0));
    await first;
    const second = [transaction.execute("D"), transaction.batch(["E", "F"]), transaction.rollback()];
    await Promise.all(second);
    expect(asked.map(texts)).toEqual([
      ["BEGIN DEFERRED;A", "B", "C"],
      ["D", "E;F", "ROLLBACK", "close"],
    ]);
  });

  test("before the version is known, only the first statement goes with BEGIN", async () => {
    const { client, asked } = fakeClient(obliging);
    const transaction = await client.transaction("deferred");
    await Promise.all(["A", "B", "C"].map((sql) => transaction.execute(sql)));
    expect(asked.map(texts)).toEqual([["BEGIN DEFERRED;A"], ["B", "C"]]);
  });

  test("base_url is used for the rest of the stream, and for nothing else", async () => {
    const { client, asked } = await settled((one) => ({
      ...(obliging(one) as object),
      base_url: "https://node-7.example.com/x/",
    }));
    const transaction = await client.transaction("read");
    await transaction.execute("A");
    await transaction.execute("B");
    await client.execute("C");
    expect(asked.map(({ url }) => new URL(url).host)).toEqual([
      "db.example.com",
      "node-7.example.com",
      "db.example.com",
    ]);
    expect(asked[1]?.url).toBe("https://node-7.example.com/x/v3/pipeline");
  });

  test("a script begins the transaction first", async () => {
    const { client, asked } = await settled();
    const transaction = await client.transaction("write");
    await transaction.executeMultiple("A; B");
    await transaction.executeMultiple("C");
    expect(asked.map(texts)).toEqual([["BEGIN IMMEDIATE"], ["sequence"], ["sequence"]]);
  });
});

test("nothing overtakes a script that waits for BEGIN", async () => {
  const { client, asked } = await settled();
  const first = await client.transaction("write");
  await Promise.all([first.executeMultiple("S"), first.execute("A")]);
  const second = await client.transaction("write");
  await Promise.all([second.execute("A"), second.executeMultiple("S"), second.execute("B"), second.commit()]);
  expect(asked.map(texts)).toEqual([
    ["BEGIN IMMEDIATE"],
    ["sequence", "A"],
    ["BEGIN IMMEDIATE;A"],
    ["sequence", "B", "COMMIT", "close"],
  ]);
});

describe("without a statement", () => {
  test.each(["commit", "rollback", "close"] as const)("%s sends nothing", async (end) => {
    const { client, asked, leases } = await settled();
    const transaction = await client.transaction("read");
    await transaction[end]();
    expect([asked.length, transaction.closed, leases[0]?.isReleased]).toEqual([0, true, true]);
  });
});

describe("a closed transaction", () => {
  test.each(["commit", "rollback", "close"] as const)("after %s refuses statements and commit", async (end) => {
    const { client } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    await transaction[end]();
    for (const refused of [transaction.execute("B"), transaction.executeMultiple("B"), transaction.commit()]) {
      expect(await rejection(refused)).toMatchObject({ code: "TRANSACTION_CLOSED" });
    }
    await expect(transaction.rollback()).resolves.toBeUndefined();
  });

  test("close tells the server", async () => {
    const { client, asked } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    transaction.close();
    expect(transaction.closed).toBe(true);
    await expect.poll(() => asked.at(-1)?.body).toEqual({ baton: "+", requests: [close] });
  });

  test("close while a statement is on its way tells the server afterwards", async () => {
    const { client, asked } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    const pending = transaction.execute("B");
    await Promise.resolve();
    transaction.close();
    expect((await pending).rows).toHaveLength(1);
    await expect.poll(() => asked.at(-1)?.body).toEqual({ baton: "++", requests: [close] });
  });

  test("closing the client closes it", async () => {
    const { client, leases } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    client.close();
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
  });

  test("one whose caller left is forgotten when the next one opens", async () => {
    const { client, leases } = await settled();
    const transactions = [await client.transaction("write"), await client.transaction("write")];
    (leases[0] as { vanished: boolean }).vanished = true;
    transactions.push(await client.transaction("write"));
    client.close();
    expect(transactions.map(({ closed }) => closed)).toEqual([false, true, true]);
  });
});

describe("errors", () => {
  const batchError = (step: number, code: string) => (asked: Asked) => {
    const answer = obliging(asked) as { results: unknown[] };
    const results = Array(4).fill(null);
    const errors = Array(4).fill(null);
    errors[step] = { code, message: "m" };
    for (let i = 0; i < step; i++) results[i] = rowsOf(["n"], cells(1));
    return { ...answer, results: [ok("batch", { step_results: results, step_errors: errors })] };
  };

  test("of a statement leave the transaction open", async () => {
    const { client } = await settled(batchError(1, "SQLITE_CONSTRAINT"));
    const transaction = await client.transaction("write");
    const error = await rejection(transaction.execute("A"));
    expect(error).toBeInstanceOf(LibsqlBatchError);
    expect(error).toMatchObject({ code: "SQLITE_CONSTRAINT", statementIndex: 0 });
    expect(failureOf(error)).toEqual({ status: 200, code: "SQLITE_CONSTRAINT", sent: true });
    expect(transaction.closed).toBe(false);
  });

  test("of BEGIN close it and give the lease back", async () => {
    const { client, leases, asked } = await settled(batchError(0, "SQLITE_BUSY"));
    const transaction = await client.transaction("write");
    expect(await rejection(transaction.execute("A"))).toMatchObject({ name: "LibsqlError", code: "SQLITE_BUSY" });
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
    await expect.poll(() => asked.at(-1)?.body.requests).toEqual([close]);
  });

  test("of COMMIT reject it, and it is closed", async () => {
    const { client, leases } = await settled((one) =>
      texts(one)[0] === "COMMIT"
        ? { baton: null, base_url: null, results: [failed("SQLITE_CONSTRAINT", "deferred key"), ok("close")] }
        : obliging(one),
    );
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    expect(await rejection(transaction.commit())).toMatchObject({ code: "SQLITE_CONSTRAINT" });
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
  });

  test("an expired stream says what happened, and later calls say so again", async () => {
    const { client, leases } = await settled((one) => (one.body.baton ? expired() : obliging(one)));
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    const error = await rejection(transaction.execute("B"));
    expect(error.code).toBe("STREAM_EXPIRED");
    expect(error.message).toMatch(/about 10 s.*rolled|rolled.*about 10 s/s);
    expect(failureOf(error)).toEqual({ status: 400, code: "STREAM_EXPIRED", sent: true });
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
    const later = await rejection(transaction.execute("C"));
    expect(later).toMatchObject({ code: "TRANSACTION_CLOSED", cause: error });
    expect(later.message).toContain("STREAM_EXPIRED");
  });

  test("rolling back an expired stream is done already", async () => {
    const { client } = await settled((one) => (one.body.baton ? expired() : obliging(one)));
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    await expect(transaction.rollback()).resolves.toBeUndefined();
    expect(transaction.closed).toBe(true);
  });

  test("rolling back after the lease has lapsed is done already", async () => {
    const { client, leases } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    (leases[0] as { lapsed: boolean }).lapsed = true;
    await expect(transaction.rollback()).resolves.toBeUndefined();
    expect(transaction.closed).toBe(true);
  });

  test("a lost connection ends the stream, and what waited for it", async () => {
    const { client, leases } = await settled((one) =>
      one.body.baton ? Promise.reject(new TypeError("reset")) : obliging(one),
    );
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    const lost = rejection(transaction.execute("B"));
    await new Promise((resolve) => queueMicrotask(() => resolve(undefined)));
    const waiting = rejection(transaction.execute("C"));
    expect(await lost).toMatchObject({ code: "CONNECTION_LOST" });
    expect(await waiting).toMatchObject({ code: "CONNECTION_LOST" });
    expect([transaction.closed, leases[0]?.isReleased]).toEqual([true, true]);
  });

  test("a lapsed lease refuses with a typed error", async () => {
    const { client, leases, asked } = await settled();
    const transaction = await client.transaction("write");
    await transaction.execute("A");
    (leases[0] as { lapsed: boolean }).lapsed = true;
    const error = await rejection(transaction.execute("B"));
    expect(error).toBeInstanceOf(ResilienceError);
    expect(error).toMatchObject({ code: "LEASE_LAPSED", origin: "policy", outcome: "not_executed" });
    expect(transaction.closed).toBe(true);
    expect(await rejection(transaction.commit())).toMatchObject({ code: "TRANSACTION_CLOSED" });
    await expect.poll(() => asked.at(-1)?.body.requests).toEqual([close]);
  });
});
