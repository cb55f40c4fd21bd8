import { describe, expect, test, vi } from "vitest";
import type { ConsistencyOptions } from "../src/config/options.ts";
import { Floor, indexOf, isBefore } from "../src/consistency/log-index.ts";
import { checkConsistency } from "../src/consistency/settings.ts";
import { type ClientControls, clientControlsOf } from "../src/consistency/view.ts";
import { FakeReplica } from "./fake-replica.ts";
import { fakeClient, rejection } from "./fake-server.ts";
import { handSetClock } from "./guards.ts";

handSetClock();

/** A client at a replica. Its operations have 1,000 ms, so a read waits for 500 at most. */
function open(options: ConsistencyOptions = {}, replica = new FakeReplica()) {
  const { client, consistency, asked } = fakeClient(replica.answer, {}, {}, undefined, options);
  const controls = clientControlsOf(
    { status: () => ({}) } as unknown as ClientControls,
    client,
    consistency,
    consistency.floor,
  );
  const status = () => consistency.status();
  const read = async () => (await client.execute("SELECT at")).rows[0]?.at;
  return { replica, client, controls, status, read, asked };
}

/** What becomes of `promise` while `ms` pass. */
async function after<T>(ms: number, promise: Promise<T>): Promise<T | "waits"> {
  const settled = Promise.race([promise, new Promise<"waits">((resolve) => setTimeout(resolve, ms + 1, "waits"))]);
  settled.catch(() => {});
  await vi.advanceTimersByTimeAsync(ms + 1);
  return settled;
}

describe("indexes in the log", () => {
  test("are compared as 64-bit numbers, not as text", () => {
    expect(isBefore("9", "10")).toBe(true);
    expect(isBefore("10", "9")).toBe(false);
    expect(isBefore("10", "10")).toBe(false);
    expect(isBefore("", "0")).toBe(true);
    expect(isBefore("9007199254740992", "9007199254740993")).toBe(true);
  });

  test("are never sent on when they are none", () => {
    for (const good of ["0", "7", "18446744073709551615"]) expect(indexOf(good)).toBe(good);
    expect(indexOf(12)).toBe("12");
    for (const bad of [
      "",
      "-1",
      "01",
      "1.5",
      "1e3",
      " 1",
      "18446744073709551616",
      "999999999999999999999",
      '1"',
      null,
    ]) {
      expect(indexOf(bad)).toBe("");
    }
    for (const bad of [undefined, -1, 1.5, Number.NaN, 2 ** 60, {}, ["1"], true]) expect(indexOf(bad)).toBe("");
  });

  test("a request's floor is the higher of its own and its isolate's, and its writes raise both", () => {
    const isolate = new Floor();
    const request = new Floor(isolate, "5");
    isolate.raise("3");
    expect([isolate.index, request.index]).toEqual(["3", "5"]);
    request.raise("12");
    expect([isolate.index, request.index]).toEqual(["12", "12"]);
    request.raise("4");
    expect(request.index).toBe("12");
  });

  test("a floor that is not there falls with the log, a lower one stays", () => {
    const floor = new Floor(undefined, "18");
    floor.restart("20", "2");
    expect(floor.index).toBe("18");
    floor.restart("18", "2");
    expect(floor.index).toBe("2");
  });
});

describe("reads after a write", () => {
  test("ask for what was written, and nothing is asked for before", async () => {
    const { replica, client, read } = open();
    await read();
    await client.execute("INSERT");
    replica.replica = 11;
    await read();
    await client.batch(["SELECT at"], "read");
    await client.batch(["SELECT at"], "deferred");
    await client.execute("PRAGMA user_version");
    expect(replica.indexes).toEqual([undefined, undefined, "11", "11", "11", "11"]);
  });

  test("ask for what a batch, a script and a commit have written", async () => {
    const { replica, client, status } = open();
    await client.batch(["INSERT", "INSERT"], "write");
    expect(status().floor).toBe("12");
    await client.executeMultiple("INSERT; INSERT");
    expect(status().floor).toBe("14");
    await client.migrate(["INSERT"]);
    expect(status().floor).toBe("15");
    const transaction = await client.transaction("write");
    await transaction.execute("INSERT");
    expect(status().floor).toBe("15");
    replica.replica = 16;
    await transaction.commit();
    expect(status().floor).toBe("16");
  });

  test("a transaction asks when it begins, and only then", async () => {
    for (const mode of ["read", "deferred", "write"] as const) {
      const { replica, client } = open();
      await client.execute("INSERT");
      replica.replica = 11;
      const transaction = await client.transaction(mode);
      await transaction.execute("SELECT at");
      await transaction.execute("SELECT at");
      await transaction.rollback();
      expect(replica.indexes, mode).toEqual([undefined, "11", undefined, undefined]);
    }
  });

  test("what only reads does not raise the floor", async () => {
    const { client, status, read } = open();
    await read();
    const transaction = await client.transaction("read");
    await transaction.execute("SELECT at");
    await transaction.commit();
    expect(status()).toMatchObject({ floor: null, asked: 0 });
  });

  test("a server that tells no indexes is asked for none, and not asked after scripts", async () => {
    const { replica, client, controls, read, status, asked } = open();
    replica.tells = false;
    await client.execute("INSERT");
    await read();
    await client.executeMultiple("INSERT");
    expect(replica.indexes).toEqual([undefined, undefined, undefined]);
    expect(asked[2]?.body.requests).toHaveLength(2);
    expect(status().supported).toBe(false);
    expect(controls.consistencyToken()).toBeUndefined();
  });

  test("nothing is asked for when it is off", async () => {
    const { replica, client, read, controls } = open({ readYourWrites: "off" });
    await client.execute("INSERT");
    await read();
    expect(replica.indexes).toEqual([undefined, undefined]);
    expect(controls.consistencyToken()).toBeUndefined();
  });
});

describe("a replica that lags", () => {
  test("is waited for, and then asked for what it has; the result says that it is stale", async () => {
    const { client, status } = open();
    await client.execute("INSERT");
    const reading = client.execute("SELECT at");
    expect(await after(498, reading)).toBe("waits");
    const result = await after(2, reading);
    expect(result).toMatchObject({ seawall: { stale: true }, rows: [{ at: 10 }] });
    expect(Object.keys(result)).not.toContain("seawall");
    expect(status()).toMatchObject({ asked: 1, timeouts: 1, stale: 1, restarts: 0 });
  });

  test("is not waited for again at once, and its later answers are marked until it has caught up", async () => {
    const { replica, client, read, status } = open();
    await client.execute("INSERT");
    await after(500, read());
    expect(await after(0, client.execute("SELECT at"))).toMatchObject({ seawall: { stale: true } });
    replica.replica = 11;
    const fresh = await after(0, client.execute("SELECT at"));
    expect(fresh).toMatchObject({ rows: [{ at: 11 }] });
    expect((fresh as { seawall?: unknown }).seawall).toBeUndefined();
    await after(0, read());
    expect(replica.indexes.slice(-2)).toEqual([undefined, "11"]);
    expect(status()).toMatchObject({ asked: 4, timeouts: 1, stale: 2 });
  });

  test("an answer after the wait is fresh if the replica had caught up just then", async () => {
    const { replica, client, status } = open();
    await client.execute("INSERT");
    const reading = client.execute("SELECT at");
    await after(490, reading);
    replica.replica = 11;
    expect((await after(20, reading)) as { seawall?: unknown }).not.toHaveProperty("seawall");
    expect(status()).toMatchObject({ timeouts: 1, stale: 0 });
  });

  test("is an error where a stale answer is worth less than none", async () => {
    const { client } = open({ onTimeout: "error" });
    await client.execute("INSERT");
    const error = rejection(client.execute("SELECT at"));
    await vi.advanceTimersByTimeAsync(501);
    expect(await error).toMatchObject({ code: "REPLICA_BEHIND", origin: "upstream", outcome: "not_executed" });
    expect((await error).message).toMatch(/within 500 ms: it is at 10 .* and 11 was asked for/);
  });

  test("is not waited for with a wait of 0, but told from one that is level", async () => {
    const { replica, client } = open({ waitTimeout: 0 });
    await client.execute("INSERT");
    expect(await client.execute("SELECT at")).toHaveProperty("seawall.stale", true);
    replica.replica = 11;
    expect(await client.execute("SELECT at")).not.toHaveProperty("seawall");
  });

  test("a transaction that reads is opened a second time, one that takes the lock is not", async () => {
    const { client } = open();
    await client.execute("INSERT");
    const reading = await client.transaction("read");
    expect(await after(500, reading.execute("SELECT at"))).toHaveProperty("seawall.stale", true);
    expect(await reading.execute("SELECT at")).toHaveProperty("seawall.stale", true);
    await reading.rollback();
    await vi.advanceTimersByTimeAsync(2_000);
    const writing = await client.transaction("write");
    expect(await after(5_000, writing.execute("SELECT at"))).toBe("waits");
  });
});

test("a transaction that was refused for its age leaves no stream behind", async () => {
  const { client, asked } = open({ onTimeout: "error" });
  await client.execute("INSERT");
  const transaction = await client.transaction("read");
  const error = rejection(transaction.execute("SELECT at"));
  await vi.advanceTimersByTimeAsync(501);
  expect((await error).code).toBe("REPLICA_BEHIND");
  await vi.advanceTimersByTimeAsync(0);
  expect(transaction.closed).toBe(true);
  expect(asked.at(-1)?.body).toEqual({ baton: "+", requests: [{ type: "close" }] });
});

describe("a replica that hangs", () => {
  test("is sent two requests for the first read and one for each further, until it answers", async () => {
    const { replica, client, read, status } = open();
    await client.execute("INSERT");
    replica.isHung = true;
    for (const requests of [2, 1, 1]) {
      const before = replica.indexes.length;
      const error = rejection(read());
      await vi.advanceTimersByTimeAsync(2_000);
      expect((await error).code).toBe("CONNECTION_LOST");
      expect(replica.indexes.length - before).toBe(requests);
    }
    replica.isHung = false;
    const reading = client.execute("SELECT at");
    expect(await after(490, reading)).toBe("waits");
    replica.replica = 11;
    expect(await after(20, reading)).not.toHaveProperty("seawall");
    // Whether it is there, the wait, what it has, and how far the primary is.
    expect(replica.indexes.slice(-4)).toEqual([undefined, "11", undefined, undefined]);
    await after(0, read());
    expect(replica.indexes.at(-1)).toBe("11");
    expect(status().stale).toBe(0);
  });

  test("a transaction that it opens at last is opened once", async () => {
    const { replica, client, read } = open();
    await client.execute("INSERT");
    replica.isHung = true;
    const error = rejection(read());
    await vi.advanceTimersByTimeAsync(2_000);
    await error;
    replica.isHung = false;
    const before = replica.indexes.length;
    const transaction = await client.transaction("read");
    expect(await after(0, transaction.execute("SELECT at"))).toHaveProperty("seawall.stale", true);
    expect(replica.indexes.length - before).toBe(1);
    await transaction.rollback();
  });
});

describe("a log that begins anew", () => {
  test("is found by the next write", async () => {
    const { replica, client, status } = open();
    await client.execute("INSERT");
    Object.assign(replica, { primary: 1, replica: 1 });
    await client.execute("INSERT");
    expect(status()).toMatchObject({ floor: "2", restarts: 1 });
  });

  test("is found by a read that waited in vain, because it asks the primary, so that later reads do not wait", async () => {
    const { replica, client, read, status } = open();
    await client.execute("INSERT");
    Object.assign(replica, { primary: 3, replica: 3 });
    expect(await after(501, read())).toBe(3);
    expect(status()).toMatchObject({ floor: "3", restarts: 1 });
    expect(await after(0, client.execute("SELECT at"))).not.toHaveProperty("seawall");
  });

  test("a primary that is dead is asked for no longer than the wait, and reads go on", async () => {
    const { replica, client, read, status } = open();
    await client.execute("INSERT");
    replica.isPrimaryDead = true;
    expect(await after(501, read())).toBe(10);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(vi.getTimerCount()).toBe(0);
    expect(status()).toMatchObject({ floor: "11", restarts: 0 });
  });
});

describe("tokens", () => {
  test("carry a floor to another isolate, and what is read there through them sees it", async () => {
    const replica = new FakeReplica();
    const first = open({}, replica);
    await first.client.execute("INSERT");
    const token = first.controls.consistencyToken() as string;
    expect(token).toMatch(/^[0-9a-z.]{8,36}$/);
    replica.replica = 11;
    const second = open({}, replica);
    const view = second.controls.withConsistency(token);
    await view.execute("SELECT at");
    await second.client.execute({ sql: "SELECT at", seawall: { consistencyToken: token } });
    await second.client.execute("SELECT at");
    expect(replica.indexes).toEqual([undefined, "11", "11", undefined]);
    expect(view.seawall.consistencyToken()).toBe(token);
  });

  test("of a request make no other request wait", async () => {
    const { replica, controls, read } = open({ readYourWrites: "token" });
    replica.replica = 20;
    const view = controls.withConsistency(undefined);
    expect(view.seawall.consistencyToken()).toBeUndefined();
    await view.execute("INSERT");
    await read();
    await controls.withConsistency("").execute("SELECT at");
    await view.execute("SELECT at");
    expect(replica.indexes).toEqual([undefined, undefined, undefined, "11"]);
  });

  test("that are garbled, too long, of another version or of another database are refused, and nothing is sent", async () => {
    const { client, controls, replica } = open();
    await client.execute("INSERT");
    const token = controls.consistencyToken() as string;
    const other = open({ database: "another" });
    await other.client.execute("INSERT");
    const foreign = other.controls.consistencyToken() as string;
    const sent = replica.indexes.length;
    const garbled = [token.slice(0, -1), `${token}x`, `2${token.slice(1)}`, token.replace(".11.", ".12.")];
    for (const bad of [...garbled, foreign, "x", "1..", "a.b.c.d", "1".repeat(10_000), "\u0000"]) {
      expect(() => controls.withConsistency(bad)).toThrow(
        expect.objectContaining({ code: "CONSISTENCY_TOKEN_INVALID", origin: "caller", outcome: "not_executed" }),
      );
      const error = await rejection(client.execute({ sql: "SELECT at", seawall: { consistencyToken: bad } }));
      expect(error.code).toBe("CONSISTENCY_TOKEN_INVALID");
      expect(error.message).not.toContain(bad);
    }
    expect(() => controls.withConsistency(7 as never)).toThrow(/type number/);
    expect(() => controls.withConsistency(foreign)).toThrow(/another database.*consistency\.database/);
    expect(replica.indexes).toHaveLength(sent);
  });

  test("from the future make their own reads wait, for as long as is set, and nobody else's", async () => {
    const replica = new FakeReplica();
    const ahead = open({}, Object.assign(new FakeReplica(), { primary: 10_000 }));
    await ahead.client.execute("INSERT");
    const view = open({}, replica);
    const forged = ahead.controls.consistencyToken() as string;
    replica.isPrimaryDead = true;
    const reading = view.controls.withConsistency(forged).execute("SELECT at");
    expect(await after(498, reading)).toBe("waits");
    expect(await after(0, view.read())).toBe(10);
    expect(await after(2, reading)).toHaveProperty("seawall.stale", true);
    expect(view.status().floor).toBeNull();
  });
});

test("settings that cannot be used are named, all of them", () => {
  const bad = { readYourWrites: "yes", waitTimeout: -1, onTimeout: 1, database: "", wait: 1 };
  expect(() => checkConsistency(bad as never)).toThrow(
    /^invalid configuration: consistency\.wait is not a setting; .*readYourWrites .*; .*onTimeout .*; .*waitTimeout .*; .*database/,
  );
  expect(checkConsistency()).toEqual({ readYourWrites: "isolate", waitTimeoutMs: 1_000, onTimeout: "stale" });
});
