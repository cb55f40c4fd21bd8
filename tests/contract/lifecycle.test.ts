import { describe, expect, onTestFinished, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";
import { contract, libsqlRejection, onlyValue, prepare, rejection } from "./contract.ts";
import { singleAttempt } from "./subjects.ts";

contract("lifecycle", (peer) => {
  test("protocol is http", () => {
    expect(peer.open().protocol).toBe("http");
  });

  test("closed is false until close is called, and true from then on", async () => {
    const client = peer.open();
    expect(client.closed).toBe(false);
    await client.execute("SELECT 1");
    expect(client.closed).toBe(false);
    expect(client.close()).toBeUndefined();
    expect(client.closed).toBe(true);
  });

  test("close can be called again, and before the first use", () => {
    const client = peer.open();
    client.close();
    client.close();
    expect(client.closed).toBe(true);
  });

  test("sync throws, since there is no replica", () => {
    const client = peer.open();
    let thrown: unknown;
    try {
      client.sync();
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(peer.LibsqlError);
    expect((thrown as { code: string }).code).toBe("SYNC_NOT_SUPPORTED");
  });

  describe("after close", () => {
    test.each<[string, (client: ReturnType<typeof peer.open>) => Promise<unknown>]>([
      ["execute", (client) => client.execute("SELECT 1")],
      ["batch", (client) => client.batch(["SELECT 1"])],
      ["migrate", (client) => client.migrate(["SELECT 1"])],
      ["transaction", (client) => client.transaction("read")],
      ["executeMultiple", (client) => client.executeMultiple("SELECT 1")],
    ])("%s is refused", async (_name, call) => {
      const client = peer.open();
      client.close();
      expect((await libsqlRejection(peer, call(client))).message).toMatch(/closed/i);
    });

    test("a refused write did not happen", async () => {
      const client = peer.open();
      await prepare(client, "CREATE TABLE refused (a)");
      client.close();
      await libsqlRejection(peer, client.execute("INSERT INTO refused VALUES (1)"));
      expect(onlyValue(await peer.open().execute("SELECT COUNT(*) FROM refused"))).toBe(0);
    });

    test("another client works", async () => {
      const [closed, other] = [peer.open(), peer.open()];
      closed.close();
      expect(onlyValue(await other.execute("SELECT 1"))).toBe(1);
    });

    test("calls in flight settle", async () => {
      const client = peer.open();
      const calls = Array.from({ length: 5 }, (_, i) => client.execute(`SELECT ${i}`));
      client.close();
      for (const outcome of await Promise.allSettled(calls)) {
        if (outcome.status === "rejected") expect(outcome.reason).toBeInstanceOf(peer.LibsqlError);
      }
    });
  });

  test("close of the client closes its transactions and undoes them", async () => {
    const client = peer.open();
    await prepare(client, "CREATE TABLE abandoned (a)");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO abandoned VALUES (1)");
    client.close();
    expect(transaction.closed).toBe(true);
    await libsqlRejection(peer, transaction.execute("SELECT 1"), "TRANSACTION_CLOSED");
    const other = peer.open();
    await other.execute("INSERT INTO abandoned VALUES (2)");
    expect(onlyValue(await other.execute("SELECT COUNT(*) FROM abandoned"))).toBe(1);
  });

  describe("reconnect", () => {
    test("opens a closed client again", async () => {
      const client = peer.open();
      client.close();
      await client.reconnect();
      expect(client.closed).toBe(false);
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    });

    test("of an open client leaves it usable", async () => {
      const client = peer.open();
      await client.execute("SELECT 1");
      await client.reconnect();
      expect(client.closed).toBe(false);
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
    });

    test("ends the transactions that were open", async () => {
      const client = peer.open();
      const transaction = await client.transaction("write");
      await transaction.execute("SELECT 1");
      await client.reconnect();
      expect(transaction.closed).toBe(true);
      await libsqlRejection(peer, transaction.execute("SELECT 1"), "TRANSACTION_CLOSED");
      await client.executeMultiple("CREATE TABLE after_reconnect (a); INSERT INTO after_reconnect VALUES (1)");
    });

    test("can be repeated, and followed by close", async () => {
      const client = peer.open();
      for (let round = 0; round < 3; round++) {
        client.close();
        await client.reconnect();
        expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
      }
      client.close();
      expect(client.closed).toBe(true);
      await libsqlRejection(peer, client.execute("SELECT 1"));
    });
  });

  test("a server that ends takes the transaction with it, and the client works once it is back", async () => {
    const server = await startSqld();
    onTestFinished(() => server.stop());
    const client = peer.open({ url: server.url, seawall: singleAttempt });
    await prepare(client, "CREATE TABLE restarted (a)");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO restarted VALUES (1)");
    await server.kill();
    await rejection(transaction.execute("INSERT INTO restarted VALUES (2)"));
    expect(transaction.closed).toBe(true);
    await libsqlRejection(peer, transaction.commit(), "TRANSACTION_CLOSED");
    await server.start();
    expect(onlyValue(await client.execute("SELECT COUNT(*) FROM restarted"))).toBe(0);
  });

  test("a transaction does not continue on a server that was started anew", async () => {
    const server = await startSqld();
    onTestFinished(() => server.stop());
    const client = peer.open({ url: server.url, seawall: singleAttempt });
    await prepare(client, "CREATE TABLE restarted (a)");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT INTO restarted VALUES (1)");
    await server.kill();
    await server.start();
    await rejection(transaction.execute("INSERT INTO restarted VALUES (2)"));
    expect(transaction.closed).toBe(true);
    expect(onlyValue(await client.execute("SELECT COUNT(*) FROM restarted"))).toBe(0);
  });

  test("fifty clients, one after another", async () => {
    for (let i = 0; i < 50; i++) {
      const client = peer.createClient({ url: peer.url });
      expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
      client.close();
    }
  });

  test("two hundred statements leave no stream open on the server", async () => {
    // The server refuses a 129th open stream; one that each call left behind would show within the first 10 s.
    const client = peer.open();
    for (let i = 0; i < 200; i++) await client.execute("SELECT 1");
    for (let i = 0; i < 70; i++) {
      const transaction = await client.transaction("read");
      await transaction.execute("SELECT 1");
      await (i % 2 === 0 ? transaction.commit() : transaction.rollback());
    }
    expect(onlyValue(await client.execute("SELECT 1"))).toBe(1);
  });
});
