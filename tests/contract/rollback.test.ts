// What happens when a statement ends the transaction that the client opened around it.
import { expect, test } from "vitest";
import { batchRejection, contract, countOf, differs, libsqlRejection, onlyValue, prepare } from "./contract.ts";

contract("rollback from inside", (peer) => {
  const withTable = async (table: string, ...rows: string[]) => {
    const client = peer.open();
    await prepare(client, `CREATE TABLE ${table} (a UNIQUE)`, ...rows);
    return client;
  };

  const batchWithRollback = ["INSERT INTO t1 VALUES (1), (2), (3)", "ROLLBACK", "INSERT INTO t1 VALUES (4), (5)"];

  differs(peer, "ROLLBACK stops a batch", {
    upstream: async () => {
      const client = await withTable("t1");
      await client.batch(batchWithRollback, "write").catch(() => undefined);
      expect(await countOf(client, "t1")).toBe(2);
    },
    ours: async () => {
      const client = await withTable("t1");
      await batchRejection(peer, client.batch(batchWithRollback, "write"), 2, "TRANSACTION_CLOSED");
      expect(await countOf(client, "t1")).toBe(0);
    },
  });

  differs(peer, "ROLLBACK stops a transaction", {
    upstream: async () => {
      const client = await withTable("t2");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO t2 VALUES (1), (2), (3)");
      await transaction.execute("ROLLBACK");
      await transaction.execute("INSERT INTO t2 VALUES (4), (5)");
      transaction.close();
      expect(await countOf(client, "t2")).toBe(2);
    },
    ours: async () => {
      const client = await withTable("t2");
      const transaction = await client.transaction("write");
      const first = transaction.execute("INSERT INTO t2 VALUES (1), (2), (3)");
      const second = transaction.execute("ROLLBACK");
      const third = transaction.execute("INSERT INTO t2 VALUES (4), (5)");
      const refused = libsqlRejection(peer, third, "TRANSACTION_CLOSED");
      await first;
      await second;
      await refused;
      await libsqlRejection(peer, transaction.commit());
      transaction.close();
      expect(await countOf(client, "t2")).toBe(0);
    },
  });

  differs(peer, "INSERT OR ROLLBACK stops a transaction", {
    upstream: async () => {
      const client = await withTable("t3");
      const transaction = await client.transaction("write");
      await transaction.execute("INSERT INTO t3 VALUES (1), (2), (3)");
      await libsqlRejection(peer, transaction.execute("INSERT OR ROLLBACK INTO t3 VALUES (1)"), "SQLITE_CONSTRAINT");
      await transaction.execute("INSERT INTO t3 VALUES (4), (5)");
      transaction.close();
      expect(await countOf(client, "t3")).toBe(2);
    },
    ours: async () => {
      const client = await withTable("t3");
      const transaction = await client.transaction("write");
      const first = transaction.execute("INSERT INTO t3 VALUES (1), (2), (3)");
      const second = transaction.execute("INSERT OR ROLLBACK INTO t3 VALUES (1)");
      const third = transaction.execute("INSERT INTO t3 VALUES (4), (5)");
      const failed = libsqlRejection(peer, second, "SQLITE_CONSTRAINT");
      const refused = libsqlRejection(peer, third, "TRANSACTION_CLOSED");
      await first;
      await failed;
      await refused;
      await libsqlRejection(peer, transaction.commit());
      transaction.close();
      expect(await countOf(client, "t3")).toBe(0);
    },
  });

  differs(peer, "INSERT OR ROLLBACK as the first statement stops a transaction", {
    upstream: async () => {
      const client = await withTable("t4", "INSERT INTO t4 VALUES (1), (2), (3)");
      const transaction = await client.transaction("write");
      await libsqlRejection(peer, transaction.execute("INSERT OR ROLLBACK INTO t4 VALUES (1)"), "SQLITE_CONSTRAINT");
      await transaction.execute("INSERT INTO t4 VALUES (4), (5)");
      transaction.close();
      expect(await countOf(client, "t4")).toBe(5);
    },
    ours: async () => {
      const client = await withTable("t4", "INSERT INTO t4 VALUES (1), (2), (3)");
      const transaction = await client.transaction("write");
      const first = transaction.execute("INSERT OR ROLLBACK INTO t4 VALUES (1)");
      const second = transaction.execute("INSERT INTO t4 VALUES (4), (5)");
      const failed = libsqlRejection(peer, first, "SQLITE_CONSTRAINT");
      const refused = libsqlRejection(peer, second, "TRANSACTION_CLOSED");
      await failed;
      await refused;
      await libsqlRejection(peer, transaction.commit());
      transaction.close();
      expect(await countOf(client, "t4")).toBe(3);
    },
  });

  test("INSERT OR ROLLBACK in a batch keeps nothing", async () => {
    const client = await withTable("t5");
    const batch = client.batch(
      ["INSERT INTO t5 VALUES (1)", "INSERT OR ROLLBACK INTO t5 VALUES (1)", "INSERT INTO t5 VALUES (2)"],
      "write",
    );
    await batchRejection(peer, batch, 1, "SQLITE_CONSTRAINT");
    expect(await countOf(client, "t5")).toBe(0);
  });

  test("ROLLBACK as the last statement of a batch keeps nothing", async () => {
    const client = await withTable("t6");
    await client.batch(["INSERT INTO t6 VALUES (1)", "ROLLBACK"], "write").catch(() => undefined);
    expect(await countOf(client, "t6")).toBe(0);
  });

  test("a savepoint can be rolled back inside a transaction", async () => {
    const client = await withTable("t7");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO t7 VALUES (1)");
    await transaction.execute("SAVEPOINT inner");
    await transaction.execute("INSERT INTO t7 VALUES (2)");
    await transaction.execute("ROLLBACK TO inner");
    await transaction.execute("RELEASE inner");
    await transaction.commit();
    expect(await countOf(client, "t7")).toBe(1);
  });

  test("a savepoint can be rolled back inside a batch", async () => {
    const client = await withTable("t8");
    await client.batch(
      [
        "INSERT INTO t8 VALUES (1)",
        "SAVEPOINT inner",
        "INSERT INTO t8 VALUES (2)",
        "ROLLBACK TO inner",
        "RELEASE inner",
      ],
      "write",
    );
    expect(await countOf(client, "t8")).toBe(1);
  });

  test("BEGIN inside a transaction is refused and leaves it usable", async () => {
    const client = await withTable("t9");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO t9 VALUES (1)");
    await libsqlRejection(peer, transaction.execute("BEGIN"));
    await transaction.commit();
    expect(await countOf(client, "t9")).toBe(1);
  });

  test("a client works after a rollback from inside", async () => {
    const client = await withTable("t10");
    await client.batch(["INSERT INTO t10 VALUES (1)", "ROLLBACK"], "write").catch(() => undefined);
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    await client.batch(["INSERT INTO t10 VALUES (1)"], "write");
    expect(await countOf(client, "t10")).toBe(1);
  });
});
