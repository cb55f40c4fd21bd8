import type { Transaction, TransactionMode } from "@libsql/client/web";
import { describe, expect, test } from "vitest";
import {
  checkLibsqlError,
  contract,
  countOf,
  differs,
  libsqlRejection,
  prepare,
  recordingFetch,
  rejection,
} from "./contract.ts";

contract("transaction", (peer) => {
  /** A client with an empty table. */
  const withTable = async (table: string, column = "a") => {
    const client = peer.open();
    await prepare(client, `DROP TABLE IF EXISTS ${table}`, `CREATE TABLE ${table} (${column})`);
    return client;
  };

  describe("commit", () => {
    test("keeps the changes and closes", async () => {
      const client = await withTable("committed");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO committed VALUES (1)");
      await transaction.execute("INSERT INTO committed VALUES (2)");
      expect(transaction.closed).toBe(false);
      await expect(transaction.commit()).resolves.toBeUndefined();
      expect(transaction.closed).toBe(true);
      expect(await countOf(client, "committed")).toBe(2);
    });

    test("of nothing does nothing", async () => {
      const transaction = await peer.open().transaction("write");
      await expect(transaction.commit()).resolves.toBeUndefined();
      expect(transaction.closed).toBe(true);
    });

    test("twice is refused", async () => {
      const transaction = await peer.open().transaction("read");
      await transaction.execute("SELECT 1");
      await transaction.commit();
      await libsqlRejection(peer, transaction.commit(), "TRANSACTION_CLOSED");
    });

    test("after rollback is refused", async () => {
      const transaction = await peer.open().transaction("read");
      await transaction.execute("SELECT 1");
      await transaction.rollback();
      await libsqlRejection(peer, transaction.commit(), "TRANSACTION_CLOSED");
    });

    test("that a deferred constraint refuses is an error, keeps nothing and closes", async () => {
      const client = peer.open();
      await prepare(
        client,
        "CREATE TABLE parents (id INTEGER PRIMARY KEY)",
        "CREATE TABLE children (p INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)",
      );
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO children VALUES (7)");
      await libsqlRejection(peer, transaction.commit(), "SQLITE_CONSTRAINT");
      expect(transaction.closed).toBe(true);
      expect(await countOf(client, "children")).toBe(0);
    });
  });

  describe("rollback", () => {
    test("undoes the changes and closes", async () => {
      const client = await withTable("undone");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO undone VALUES (1)");
      await expect(transaction.rollback()).resolves.toBeUndefined();
      expect(transaction.closed).toBe(true);
      expect(await countOf(client, "undone")).toBe(0);
    });

    test("of nothing does nothing", async () => {
      const transaction = await peer.open().transaction("read");
      await expect(transaction.rollback()).resolves.toBeUndefined();
    });

    test("after commit does nothing", async () => {
      const client = await withTable("kept");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO kept VALUES (1)");
      await transaction.commit();
      await expect(transaction.rollback()).resolves.toBeUndefined();
      expect(await countOf(client, "kept")).toBe(1);
    });

    test("twice does nothing more", async () => {
      const transaction = await peer.open().transaction("read");
      await transaction.execute("SELECT 1");
      await transaction.rollback();
      await expect(transaction.rollback()).resolves.toBeUndefined();
    });
  });

  describe("close", () => {
    test("undoes the changes", async () => {
      const client = await withTable("closed_early");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO closed_early VALUES (1)");
      transaction.close();
      expect(transaction.closed).toBe(true);
      await client.execute("INSERT INTO closed_early VALUES (2)");
      expect(await countOf(client, "closed_early")).toBe(1);
    });

    test("while a statement is on its way settles the statement and undoes it", async () => {
      const client = await withTable("cut_short");
      const transaction = await client.transaction("write");
      await transaction.execute("SELECT 1");
      const settled = Promise.allSettled([transaction.execute("INSERT INTO cut_short VALUES (1)")]);
      transaction.close();
      const [outcome] = await settled;
      if (outcome.status === "rejected") checkLibsqlError(peer, outcome.reason);
      await client.execute("INSERT INTO cut_short VALUES (2)");
      expect(await countOf(client, "cut_short")).toBe(1);
    });

    test("before anything ran is fine", async () => {
      const transaction = await peer.open().transaction("write");
      expect(transaction.closed).toBe(false);
      transaction.close();
      expect(transaction.closed).toBe(true);
    });

    test("can be called again, and after commit and rollback", async () => {
      const client = peer.open();
      for (const end of ["commit", "rollback"] as const) {
        const transaction = await client.transaction("read");
        await transaction.execute("SELECT 1");
        await transaction[end]();
        transaction.close();
        transaction.close();
        expect(transaction.closed).toBe(true);
      }
    });

    test("frees the write lock", async () => {
      const client = await withTable("freed");
      for (let i = 0; i < 5; i++) {
        const transaction = await client.transaction("write");
        await transaction.execute({ sql: "INSERT INTO freed VALUES (?)", args: [i] });
        transaction.close();
      }
      await client.execute("INSERT INTO freed VALUES (99)");
      expect(await countOf(client, "freed")).toBe(1);
    });
  });

  describe.each<[string, (transaction: Transaction) => Promise<void> | void]>([
    ["commit", (transaction) => transaction.commit()],
    ["rollback", (transaction) => transaction.rollback()],
    ["close", (transaction) => transaction.close()],
  ])("after %s", (_name, end) => {
    const ended = async () => {
      const transaction = await peer.open().transaction("read");
      await transaction.execute("SELECT 1");
      await end(transaction);
      return transaction;
    };

    test("execute is refused", async () => {
      await libsqlRejection(peer, (await ended()).execute("SELECT 1"), "TRANSACTION_CLOSED");
    });

    test("batch is refused", async () => {
      await libsqlRejection(peer, (await ended()).batch(["SELECT 1"]), "TRANSACTION_CLOSED");
    });

    test("executeMultiple is refused", async () => {
      await libsqlRejection(peer, (await ended()).executeMultiple("SELECT 1"), "TRANSACTION_CLOSED");
    });
  });

  describe("modes", () => {
    test.each<TransactionMode | undefined>(["write", "deferred", undefined])("%s takes writes", async (mode) => {
      const client = await withTable("moded");
      const transaction = mode === undefined ? await client.transaction() : await client.transaction(mode);
      await transaction.execute("INSERT INTO moded VALUES (1)");
      await transaction.commit();
      expect(await countOf(client, "moded")).toBe(1);
    });

    test.each([
      ["write", "BEGIN IMMEDIATE"],
      ["read", "BEGIN TRANSACTION READONLY"],
      ["deferred", "BEGIN DEFERRED"],
      [undefined, "BEGIN IMMEDIATE"],
    ] as const)("%s asks the server to %s, with the first operation", async (mode, begin) => {
      const first: Array<(transaction: Transaction) => Promise<unknown>> = [
        (transaction) => transaction.execute("SELECT 1"),
        (transaction) => transaction.batch(["SELECT 1"]),
        (transaction) => transaction.executeMultiple("SELECT 1"),
      ];
      for (const operate of first) {
        const sent: string[] = [];
        const recorded = peer.open({ fetch: recordingFetch(sent) });
        const transaction = await (mode === undefined ? recorded.transaction() : recorded.transaction(mode));
        await operate(transaction);
        expect(sent.join()).toContain(`"${begin}"`);
        await transaction.rollback();
      }
    });

    test("another word is a RangeError, at the latest with the first statement", async () => {
      const started = peer
        .open()
        .transaction("exclusive" as TransactionMode)
        .then((transaction) => transaction.execute("SELECT 1"));
      expect(await rejection(started)).toBeInstanceOf(RangeError);
    });
  });

  describe("isolation", () => {
    test("the transaction sees its own changes, others do not until it commits", async () => {
      const client = await withTable("isolated");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO isolated VALUES (1)");
      expect(await countOf(transaction, "isolated")).toBe(1);
      expect(await countOf(client, "isolated")).toBe(0);
      await transaction.commit();
      expect(await countOf(client, "isolated")).toBe(1);
    });

    test("two transactions at once are apart", async () => {
      const client = await withTable("apart");
      const [reader, writer] = await Promise.all([client.transaction("read"), client.transaction("write")]);
      expect(await countOf(reader, "apart")).toBe(0);
      await writer.execute("INSERT INTO apart VALUES (1)");
      expect([await countOf(reader, "apart"), await countOf(writer, "apart")]).toStrictEqual([0, 1]);
      await writer.commit();
      expect(await countOf(reader, "apart")).toBe(0);
      await reader.commit();
      expect(await countOf(client, "apart")).toBe(1);
    });

    differs(peer, "more transactions at once than leases", {
      upstream: async () => {
        const client = peer.open();
        const transactions = await Promise.all(Array.from({ length: 3 }, () => client.transaction("read")));
        await Promise.all(transactions.map((transaction) => transaction.execute("SELECT 1")));
        for (const transaction of transactions) transaction.close();
      },
      ours: async () => {
        const client = peer.open({ seawall: { connectionPool: { maxConnections: 2, acquireTimeout: 100 } } });
        const start = async () => {
          const transaction = await client.transaction("read");
          await transaction.execute("SELECT 1");
          return transaction;
        };
        const [first, second] = [await start(), await start()];
        await libsqlRejection(peer, start(), "POOL_TIMEOUT");
        await first.commit();
        const third = await start();
        second.close();
        third.close();
      },
    });

    test("a read transaction keeps its snapshot", async () => {
      const client = await withTable("snapshot");
      const transaction = await client.transaction("read");
      expect(await countOf(transaction, "snapshot")).toBe(0);
      await client.execute("INSERT INTO snapshot VALUES (1)");
      expect(await countOf(transaction, "snapshot")).toBe(0);
      await transaction.commit();
    });

    test("an upgrade of a deferred transaction with an old snapshot is refused as busy", async () => {
      const client = await withTable("upgraded");
      const transaction = await client.transaction("deferred");
      expect(await countOf(transaction, "upgraded")).toBe(0);
      await client.execute("INSERT INTO upgraded VALUES (1)");
      await libsqlRejection(peer, transaction.execute("INSERT INTO upgraded VALUES (2)"), "SQLITE_BUSY");
      transaction.close();
      expect(await countOf(client, "upgraded")).toBe(1);
    });
  });
});
