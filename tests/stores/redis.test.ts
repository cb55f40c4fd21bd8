// Redis over TCP through both clients, and over HTTP as Upstash speaks it, all in front of the real server.
import { Redis as UpstashRedis } from "@upstash/redis";
import { Redis } from "ioredis";
import { createClient, createCluster } from "redis";
import { createClient as createClient4 } from "redis-4";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { redisStore, strongRedisStore } from "../../js/src/store/redis.ts";
import type { Store, StoreCaps } from "../../js/src/store/store.ts";
import { strongUpstashStore, upstashStore } from "../../js/src/store/upstash.ts";
import { startFaultProxy } from "../support/fault-proxy.mjs";
import { type Redis as Server, startRedis } from "../support/redis.mjs";
import { freePort } from "../support/sqld.mjs";
import { startUpstashRest } from "../support/upstash-rest.mjs";
import { type StrongHarness, strongStoreSuite, swapOne } from "./strong-suite.ts";
import { expectNoSecrets, rejection, storeSuite } from "./suite.ts";
import { startWriter, versionLeft } from "./writer.ts";

const PASSWORD = "p4ssw0rd-that-nobody-may-see";
const TOKEN = "AXhkASQgN2M4t0ken-that-nobody-may-see";
const TIMEOUT = 30_000;
const CAPS: StoreCaps = { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true };

let server: Server;

beforeAll(async () => {
  server = await startRedis({ password: PASSWORD });
});
afterAll(() => server?.stop());

/** Where no server is. */
async function nowhere(): Promise<string> {
  return `redis://:${PASSWORD}@127.0.0.1:${await freePort()}`;
}

function ioredis(url: string, options = {}): Redis {
  return new Redis(url, options).on("error", () => {});
}

describe("ioredis", () => {
  const start = (options: { keyPrefix?: string }) => async () => {
    const clients = [ioredis(server.url, options), ioredis(server.url, options), ioredis(await nowhere())] as const;
    const [store, beside] = clients.map((client) => redisStore(client, { timeout: TIMEOUT })) as [Store, Store];
    const broken = redisStore(clients[2], { timeout: 300 });
    const stop = async () => {
      for (const client of clients) client.disconnect();
    };
    return { store, beside, broken, secrets: [PASSWORD], stop };
  };

  storeSuite("as it is", CAPS, start({}));
  storeSuite("with a key prefix of its own", CAPS, start({ keyPrefix: "app[1]:" }));

  const program = () => ({
    imports: `import { Redis } from "ioredis"; import { strongRedisStore } from "../../js/src/store/redis.ts";`,
    store: `strongRedisStore(new Redis(${JSON.stringify(server.url)}), { key: "ioredis", timeout: ${TIMEOUT} })`,
  });

  strongStoreSuite("strong", async () => {
    const clients = [ioredis(server.url), ioredis(server.url), ioredis(await nowhere())] as const;
    const [store, beside] = clients.map((client) => strongRedisStore(client, { key: "ioredis", timeout: TIMEOUT }));
    const stop = async () => {
      for (const client of clients) client.disconnect();
    };
    const broken = strongRedisStore(clients[2], { timeout: 300 });
    return { store, beside, broken, program: program(), secrets: [PASSWORD], stop } as StrongHarness;
  });

  it("strong: what was told of survives a crash of a server that writes before it answers", async () => {
    const durable = await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] });
    try {
      const store = `strongRedisStore(new Redis(${JSON.stringify(durable.url)}), { timeout: 1000 })`;
      const writer = await startWriter({ ...program(), store }, "dies");
      const told = writer.killAfter(1_000_000).catch((error: Error) => error.message);
      const client = ioredis(durable.url);
      while (Number.parseInt((await strongRedisStore(client).read("dies")) ?? "0", 10) < 5) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await durable.kill();
      const last = Number(/at version (\d+)/.exec((await told) as string)?.[1]);
      await durable.start();
      const version = await versionLeft(strongRedisStore(client), "dies");
      client.disconnect();
      expect([last, last + 1]).toContain(version);
    } finally {
      await durable.stop();
    }
  });

  it("strong: its hash is under the client's prefix, and never expires", async () => {
    const [prefixed, plain] = [ioredis(server.url, { keyPrefix: "app[3]:" }), ioredis(server.url)];
    try {
      expect(await swapOne(strongRedisStore(prefixed), "orders/kill", null, "text")).toBe(true);
      expect(await plain.hgetall("app[3]:seawall/strong")).toEqual({ "orders/kill": "text" });
      expect(await plain.ttl("app[3]:seawall/strong")).toBe(-1);
    } finally {
      prefixed.disconnect();
      plain.disconnect();
    }
  });

  it("puts its prefix before what is written, once", async () => {
    const [prefixed, plain] = [ioredis(server.url, { keyPrefix: "app[2]:" }), ioredis(server.url)];
    try {
      await redisStore(prefixed).put("seawall/v1/db", "text", 60);
      expect(await plain.keys("app\\[2\\]:*")).toEqual(["app[2]:seawall/v1/db"]);
      expect(await redisStore(prefixed).list?.("seawall/")).toEqual(["seawall/v1/db"]);
    } finally {
      prefixed.disconnect();
      plain.disconnect();
    }
  });
});

describe.each([
  ["node-redis 6", createClient],
  ["node-redis 4", createClient4 as unknown as typeof createClient],
])("%s", (_, create) => {
  storeSuite("over TCP", CAPS, async () => {
    const clients = [server.url, server.url, await nowhere()].map((url) => create({ url }).on("error", () => {}));
    const [one, two, gone] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    await Promise.all([one.connect(), two.connect()]);
    gone.connect().catch(() => {});
    const stop = async () => {
      for (const client of clients) await client.disconnect().catch(() => {});
    };
    return {
      store: redisStore(one, { timeout: TIMEOUT }),
      beside: redisStore(two, { timeout: TIMEOUT }),
      broken: redisStore(gone, { timeout: 300 }),
      secrets: [PASSWORD],
      stop,
    };
  });
});

describe("node-redis 6, strong", () => {
  strongStoreSuite("over TCP", async () => {
    const clients = [server.url, server.url, await nowhere()].map((url) => createClient({ url }).on("error", () => {}));
    const [one, two, gone] = clients as [(typeof clients)[0], (typeof clients)[0], (typeof clients)[0]];
    await Promise.all([one.connect(), two.connect()]);
    gone.connect().catch(() => {});
    const stop = async () => {
      for (const client of clients) await client.disconnect().catch(() => {});
    };
    const options = { key: "node-redis", timeout: TIMEOUT };
    return {
      store: strongRedisStore(one, options),
      beside: strongRedisStore(two, options),
      broken: strongRedisStore(gone, { timeout: 300 }),
      program: {
        imports: `import { createClient } from "redis"; import { strongRedisStore } from "../../js/src/store/redis.ts";`,
        store: `createClient({ url: ${JSON.stringify(server.url)} }).connect()
          .then((client) => strongRedisStore(client, ${JSON.stringify(options)}))`,
      },
      secrets: [PASSWORD],
      stop,
    };
  });
});

describe("a cluster of node-redis", () => {
  let node: Server;

  storeSuite("over TCP", { ...CAPS, list: false }, async () => {
    node = await startRedis({ args: ["--cluster-enabled", "yes"] });
    const admin = ioredis(node.url);
    await admin.call("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
    while (!String(await admin.call("CLUSTER", "INFO")).includes("cluster_state:ok")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    admin.disconnect();
    const cluster = createCluster({ rootNodes: [{ url: node.url }] }).on("error", () => {});
    await cluster.connect();
    const gone = createCluster({ rootNodes: [{ url: await nowhere() }] }).on("error", () => {});
    const store = redisStore(cluster, { timeout: TIMEOUT });
    // One hash lies on one server, so a strong store can list where one of hints cannot.
    const strong = strongRedisStore(cluster, { timeout: TIMEOUT });
    expect(await swapOne(strong, "orders/kill", null, "text")).toBe(true);
    expect(await strong.list("orders/")).toEqual(["orders/kill"]);
    const stop = async () => {
      await cluster.close();
      await node.stop();
    };
    return { store, beside: store, broken: redisStore(gone, { timeout: 300 }), secrets: [PASSWORD], stop };
  });
});

describe("a client that is none", () => {
  it.each([
    [undefined, "it got undefined"],
    ["redis://:secret@host", "it got string"],
    [{ get() {} }, "it got an object of class Object"],
    [{ url: "https://x.upstash.io", token: "t" }, "For a REST address and a token there is upstashStore"],
  ])("%o is refused by an error that says what is wanted", (client, expected) => {
    const make = () => redisStore(client as never);
    expect(make).toThrow(TypeError);
    expect(make).toThrow(expected);
    expect(make).toThrow('"ioredis"');
    expect(make).not.toThrow("secret");
  });

  it("a timeout that is none is refused", () => {
    const client = { call: async () => null };
    for (const timeout of [0, -1, Number.NaN, "5" as unknown as number]) {
      expect(() => redisStore(client, { timeout })).toThrow("redisStore: timeout is in milliseconds and above 0");
    }
  });
});

describe("Upstash", () => {
  let rest: Awaited<ReturnType<typeof startUpstashRest>>;

  beforeAll(async () => {
    rest = await startUpstashRest(server.url, TOKEN);
  });
  afterAll(() => rest?.stop());

  const none = async () => {};

  storeSuite("through fetch", CAPS, async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    return {
      store: upstashStore({ url: rest.url, token: TOKEN }, { timeout: TIMEOUT }),
      beside: upstashStore({ url: `${rest.url}/`, token: TOKEN }, { timeout: TIMEOUT }),
      broken: upstashStore({ url: gone, token: TOKEN }),
      secrets: [TOKEN],
      stop: none,
    };
  });

  storeSuite("through @upstash/redis, beside fetch", CAPS, async () => {
    const gone = new UpstashRedis({ url: `http://127.0.0.1:${await freePort()}`, token: TOKEN, retry: false });
    return {
      store: upstashStore(new UpstashRedis({ url: rest.url, token: TOKEN }), { timeout: TIMEOUT }),
      beside: upstashStore({ url: rest.url, token: TOKEN }, { timeout: TIMEOUT }),
      broken: upstashStore(gone),
      secrets: [TOKEN],
      stop: none,
    };
  });

  strongStoreSuite("strong, through fetch", async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    const options = { key: "upstash", timeout: TIMEOUT };
    const address = { url: rest.url, token: TOKEN };
    return {
      store: strongUpstashStore(address, options),
      beside: strongUpstashStore(address, options),
      broken: strongUpstashStore({ url: gone, token: TOKEN }),
      program: {
        imports: 'import { strongUpstashStore } from "../../js/src/store/upstash.ts";',
        store: `strongUpstashStore(${JSON.stringify(address)}, ${JSON.stringify(options)})`,
      },
      secrets: [TOKEN],
      stop: none,
    };
  });

  strongStoreSuite("strong, through @upstash/redis", async () => {
    const gone = new UpstashRedis({ url: `http://127.0.0.1:${await freePort()}`, token: TOKEN, retry: false });
    const options = { key: "upstash client", timeout: TIMEOUT };
    const address = { url: rest.url, token: TOKEN };
    return {
      store: strongUpstashStore(new UpstashRedis(address), options),
      beside: strongUpstashStore(address, options),
      broken: strongUpstashStore(gone),
      program: {
        imports: `import { Redis } from "@upstash/redis";
          import { strongUpstashStore } from "../../js/src/store/upstash.ts";`,
        store: `strongUpstashStore(new Redis(${JSON.stringify(address)}), ${JSON.stringify(options)})`,
      },
      secrets: [TOKEN],
      stop: none,
    };
  });

  it("what it stores is what their own client reads and writes", async () => {
    const theirs = new UpstashRedis({ url: rest.url, token: TOKEN, automaticDeserialization: false });
    const ours = upstashStore({ url: rest.url, token: TOKEN });
    await ours.put("oracle ☃", "ünï 1", 60);
    expect(await theirs.get("oracle ☃")).toBe("ünï 1");
    expect(await theirs.ttl("oracle ☃")).toBeGreaterThan(50);
    await theirs.set("oracle ☃", "ünï 2");
    expect(await ours.get("oracle ☃")).toBe("ünï 2");
    expect(await ours.compareAndSet?.("oracle ☃", "ünï 2", "ünï 3", 60)).toBe(true);
    expect(await theirs.get("oracle ☃")).toBe("ünï 3");
  });

  it("costs one request for each call", async () => {
    const store = upstashStore({ url: rest.url, token: TOKEN });
    const before = rest.requests();
    await store.put("one", "text", 60);
    await store.get("one");
    await store.compareAndSet?.("one", "text", "other", 60);
    expect(rest.requests() - before).toBe(3);
  });

  it("a token that is wrong is named, not shown", async () => {
    const wrong = "wrong-t0ken-that-nobody-may-see";
    const error = await rejection(() => upstashStore({ url: rest.url, token: wrong }).get("key"));
    expect(error.message).toContain("UPSTASH_REDIS_REST_TOKEN");
    expectNoSecrets(error, [wrong]);
  });

  it("what the server complains about is passed on", async () => {
    const store = upstashStore({ url: rest.url, token: TOKEN });
    const admin = new Redis(server.url);
    await admin.lpush("a list", "x");
    admin.disconnect();
    expect((await rejection(() => store.get("a list"))).message).toContain("WRONGTYPE");
  });

  it("a server that hangs, or answers something else, is an error in time", async () => {
    const proxy = await startFaultProxy(rest.url);
    try {
      const store = upstashStore({ url: proxy.url, token: TOKEN }, { timeout: 200 });
      await proxy.set({ kind: "hang" });
      expect((await rejection(() => store.get("key"))).message).toContain("did not answer within 200 ms");
      await proxy.set({ kind: "status", status: 502, body: "<html>Bad Gateway</html>" });
      expect((await rejection(() => store.get("key"))).message).toContain("HTTP 502 and no result");
      await proxy.set({ kind: "status", status: 200, body: "null" });
      expect((await rejection(() => store.get("key"))).message).toContain("HTTP 200 and no result");
      await proxy.set({ kind: "cut", bytes: 3 });
      expectNoSecrets(await rejection(() => store.put("key", "text", 60)), [TOKEN]);
    } finally {
      await proxy.close();
    }
  });

  it.each([
    [undefined, "it got neither"],
    [{ token: TOKEN }, "url is missing; it is UPSTASH_REDIS_REST_URL"],
    [{ url: "https://x.upstash.io" }, "token is missing; it is UPSTASH_REDIS_REST_TOKEN"],
    [{ url: "https://x.upstash.io", token: `${TOKEN}\n` }, "token holds a space, a line break"],
    [{ url: "x.upstash.io", token: TOKEN }, "url is no URL"],
    [{ url: "rediss://default:x@x.upstash.io:6379", token: TOKEN }, "redisStore, which takes a client"],
    [{ url: `https://x.upstash.io?_token=${TOKEN}`, token: TOKEN }, "the token belongs into token"],
    [{ url: `https://u:${TOKEN}@x.upstash.io`, token: TOKEN }, "the token belongs into token"],
  ])("options that are wrong are named: %#", (options, expected) => {
    try {
      upstashStore(options as never);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(TypeError);
      expect((error as Error).message).toContain(expected);
      expectNoSecrets(error, [TOKEN]);
    }
  });
});
