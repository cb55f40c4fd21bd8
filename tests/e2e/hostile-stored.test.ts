// Hostile things that happen to what is stored, on both hosts: somebody writes past the routes, the store fails, a backup is
// of another time, too many write at once. Lines of the sections H to L, N and R of the list.
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Invariants } from "../support/invariants.mjs";
import { type Answered, type Asked, type Host, type Hosts, SECRET, startHosts } from "./hosts.ts";
import type { Failing, Fault, Vault } from "./vault.ts";

const TOKEN = "an-admin-token-of-these-tests-that-nobody-guesses";
const authorized = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
const DAY_MS = 86_400_000;
const OLD_KEY = `idempotency/${String(Math.floor(Date.now() / DAY_MS) - 3).padStart(8, "0")}/${"0".repeat(64)}`;
/** Writes a minute; so that other tests than that of the limit need not wait. */
const WRITES_PER_MINUTE = 200;

let hosts: Hosts;
const invariants = new Map<string, Invariants>();

const post = (path: string, body: unknown, headers: Record<string, string> = {}): Asked => ({
  method: "POST",
  path: `/admin/api${path}`,
  headers: { ...authorized, ...headers },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const put = (name: string, value: unknown, headers: Record<string, string> = {}): Asked => ({
  ...post(`/orders/${name}`, { value, reason: "a test" }, { "if-match": "*", ...headers }),
  method: "PUT",
});
const get = (path: string): Asked => ({ path: `/admin/api${path}`, headers: authorized });
const reset = (reason: string): Asked =>
  post("/circuits/primary/reset", { reason }, { "idempotency-key": reason.replaceAll(" ", "-") });

const vaultOf = ({ vault }: Host) => vault as Vault;
// biome-ignore lint/suspicious/noExplicitAny: documents of all kinds
const json = ({ body }: Answered): any => JSON.parse(body);

/** Everything that was ordered, and that says so. */
async function stored(host: Host): Promise<Map<string, string | null>> {
  const vault = vaultOf(host);
  const prefixes = ["orders/", "audit/", "history/", "idempotency/"];
  const keys = (await Promise.all(prefixes.map((prefix) => vault.list(prefix)))).flat();
  return new Map(await Promise.all(keys.map(async (key) => [key, await vault.read(key)] as const)));
}

/** Records with that reason. */
async function recordsOf(host: Host, reason: string): Promise<number> {
  const texts = [...(await stored(host))].filter(([key]) => /^audit\/\d/.test(key)).map(([, text]) => text ?? "");
  return texts.filter((text) => JSON.parse(text).reason === reason).length;
}

async function expectWhole({ name, ask }: Host): Promise<void> {
  expect([name, json(await ask(get("/audit/verify")))]).toStrictEqual([
    name,
    expect.objectContaining({ isWhole: true, broken: null }),
  ]);
}

async function expectSound(host: Host, asked: Asked, answer: Answered, mayFail = false): Promise<void> {
  const broken = await invariants.get(host.name)?.broken(asked, answer, { mayFail, mayChange: true });
  expect(broken, `${host.name}: ${asked.path}`).toStrictEqual([]);
}

/** The text of an order with a right checksum, as somebody makes it who knows how. */
function forged(name: string, version: number, value: unknown): string {
  const order = JSON.stringify({
    schema: 1,
    name,
    version,
    id: "f3",
    updatedAtMs: 0,
    by: "mallory",
    reason: "none",
    previous: null,
    value,
  });
  return `{"sha256":"${createHash("sha256").update(order).digest("hex")}","order":${order}}`;
}

beforeAll(async () => {
  const variables = {
    SEAWALL_ADMIN_TOKEN: TOKEN,
    SEAWALL_ADMIN_WRITES_PER_MINUTE: String(WRITES_PER_MINUTE),
    PRODUCTION_MIGRATION_APPROVED: "true",
  };
  const admin = { writesPerMinute: WRITES_PER_MINUTE, migrationApproved: "true" };
  hosts = await startHosts(variables, { adminToken: TOKEN, admin }, { isOpen: true });
  for (const host of hosts.all) {
    invariants.set(host.name, await new Invariants(host.ask, { secrets: [SECRET, TOKEN] }).begin());
  }
}, 120_000);
afterAll(() => hosts?.stop());

describe("background work", () => {
  test("H116: what runs twice at once, or again, is done once; what was skipped is done by the next", async () => {
    for (const host of hosts.all) {
      // Nobody ran for days.
      await vaultOf(host).put(OLD_KEY, "an answer of three days ago");
      expect([host.name, (await host.ask(put("flags", { version: 1 }))).status]).toStrictEqual([host.name, 200]);
      expect([host.name, (await host.ask(reset("before"))).status]).toStrictEqual([host.name, 200]);
      await Promise.all([host.tick(), host.tick(), host.tick()]);
      const once = await stored(host);
      expect([host.name, once.has(OLD_KEY)]).toStrictEqual([host.name, false]);
      expect([...once.keys()].filter((key) => key.startsWith("orders/"))).toStrictEqual([
        "orders/control",
        "orders/flags",
      ]);
      for (let times = 0; times < 3; times += 1) await host.tick();
      expect(await stored(host), host.name).toStrictEqual(once);
      await expectWhole(host);
    }
  });
});

describe("what somebody puts into the store", () => {
  const phases: [string, (version: number) => string][] = [
    ["a phase that jumped", (version) => forged("phase", version, { phase: "full" })],
    ["a phase of another version", (version) => forged("phase", version + 90, { phase: "full" })],
    ["an old phase", () => forged("phase", 1, { phase: "validation" })],
    ["500 percent", (version) => forged("phase", version, { phase: "canary", percent: 500 })],
    ["a begin in the future", (version) => forged("phase", version, { phase: "canary", startedAt: 9e15 })],
    ["a begin in 1970", (version) => forged("phase", version, { phase: "canary", startedAt: 0 })],
    ["a begin that is text", (version) => forged("phase", version, { phase: "canary", startedAt: "yesterday" })],
    ["another order", (version) => forged("flags", version, { phase: "full" })],
    ["a wrong checksum", (version) => forged("phase", version, { phase: "full" }).replace("full", "fall")],
    ["half a text", (version) => forged("phase", version, { phase: "full" }).slice(0, 90)],
    ["no order", () => "full"],
  ];
  test.each(phases)(
    "H104 and H158: %s is no step: nothing advances from it, and a backup takes its place",
    async (title, text) => {
      for (const host of hosts.all) {
        const { name, ask } = host;
        const vault = vaultOf(host);
        const stepped = await ask(put("phase", { phase: "canary", percent: 5 }));
        expect([name, stepped.status]).toStrictEqual([name, 200]);
        const { version } = json(stepped) as { version: number };
        const backup = json(await ask(get("/backup")));
        await vault.put("orders/phase", text(version));
        const before = await stored(host);
        for (const ifMatch of ["*", `"${version}"`]) {
          const asked = put("phase", { phase: "full" }, { "if-match": ifMatch });
          const advanced = await ask(asked);
          expect([name, advanced.status, json(advanced).code]).toStrictEqual([name, 500, "ORDER_DAMAGED"]);
          expect(json(advanced).detail).toContain("Restore it");
          await expectSound(host, asked, advanced, true);
        }
        expect(await stored(host), title).toStrictEqual(before);
        await host.tick();
        const { orders } = json(await ask({ path: "/api/status" })) as { orders: { phase: { version: number } } };
        expect([name, orders.phase.version]).toStrictEqual([name, version]);
        const restored = await ask(post("/restore", { backup, reason: "forged" }));
        expect([name, restored.status, restored.body]).toStrictEqual([name, 200, expect.any(String)]);
        const there = json(await ask(get("/orders/phase")));
        expect([name, there.value]).toStrictEqual([name, { phase: "canary", percent: 5 }]);
        expect(there.version).toBeGreaterThan(version);
        expect([name, (await ask(put("phase", { phase: "full" }))).status]).toStrictEqual([name, 200]);
        await expectWhole(host);
      }
    },
  );

  test("H104: circuits are reset over an order that is damaged, and what is held stays held", async () => {
    for (const host of hosts.all) {
      const { name, ask } = host;
      expect((await ask(post("/circuits/second/hold", { reason: "held", state: "open" }))).status).toBe(200);
      const damaged = ((await vaultOf(host).read("orders/control")) ?? "").replace("held", "holds");
      await vaultOf(host).put("orders/control", damaged);
      const answer = await ask(reset("over a damaged order"));
      expect([name, answer.status]).toStrictEqual([name, 200]);
      const { value } = json(await ask(get("/orders/control")));
      expect([name, value.circuits.second.hold]).toStrictEqual([name, "open"]);
      const [record] = json(await ask(get("/audit?limit=1"))).records;
      expect(record).toMatchObject({ reason: "over a damaged order", before: { damaged } });
      await expectWhole(host);
    }
  });
});

describe("backups", () => {
  // biome-ignore lint/suspicious/noExplicitAny: a backup, and what is done to it
  const wrongs: [string, string, string, (backup: any) => void][] = [
    ["of a newer schema", "BACKUP_NEWER", "upgrade", (backup) => (backup.schema = 2)],
    [
      "of the newest schema that there could be",
      "BACKUP_NEWER",
      "upgrade",
      (backup) => (backup.schema = 4_294_967_295),
    ],
    ["of version 0", "BACKUP_UNUSABLE", "schema", (backup) => (backup.schema = 0)],
    ["of version -1", "BACKUP_UNUSABLE", "schema", (backup) => (backup.schema = -1)],
    ["without a version", "BACKUP_UNUSABLE", "schema", (backup) => delete backup.schema],
    ["with a wrong checksum", "BACKUP_DAMAGED", "copy", (backup) => (backup.sha256 = "0".repeat(64))],
    ["whose content was changed", "BACKUP_DAMAGED", "copy", (backup) => (backup.orders.flags.value = { a: false })],
  ];
  test.each(wrongs)(
    "H092: a backup %s is refused, which says what to do, and changes nothing",
    async (_, code, hint, change) => {
      for (const host of hosts.all) {
        const backup = json(await host.ask(get("/backup")));
        expect(backup.orders.flags).toBeDefined();
        change(backup);
        const before = await stored(host);
        for (const dryRun of [true, false]) {
          const asked = post("/restore", { backup, reason: "a test", dryRun });
          const answer = await host.ask(asked);
          expect([host.name, answer.status, json(answer).code]).toStrictEqual([host.name, 422, code]);
          expect(json(answer).detail).toContain(hint);
          await expectSound(host, asked, answer);
        }
        expect(await stored(host), host.name).toStrictEqual(before);
      }
    },
  );
});

describe("a store that fails", () => {
  const faults: [Fault, Failing][] = [
    ["refused", ["swap"]],
    ["throws", ["swap"]],
    ["hangs", ["swap"]],
    ["lost", ["swap"]],
    ["refused", ["read", "readAll", "swap"]],
    ["throws", ["read", "readAll"]],
  ];
  test.each(faults)(
    "H108: a store that is %s at %j: a write is done or told as failed, whole or not at all",
    async (fault, asks) => {
      for (const host of hosts.all) {
        const reason = `${fault} at ${asks.join()}`;
        const before = await stored(host);
        const asked = reset(reason);
        await vaultOf(host).fail(fault, asks, asks.length === 1 ? 1 : 10_000);
        const answer = await host.ask(asked);
        await vaultOf(host).fail(fault, [], 0);
        await expectSound(host, asked, answer, true);
        // It was done, and the record that says so was found; or it was not.
        expect([host.name, answer.status]).toStrictEqual([host.name, fault === "lost" ? 200 : 503]);
        if (fault === "lost") expect(await recordsOf(host, reason)).toBe(1);
        else expect(await stored(host), host.name).toStrictEqual(before);
        // Whoever repeats it has it done once.
        for (let times = 0; times < 2; times += 1) expect((await host.ask(asked)).status).toBe(200);
        expect([host.name, await recordsOf(host, reason)]).toStrictEqual([host.name, 1]);
        await expectWhole(host);
      }
    },
  );

  test("H108: a cache that answers 429 to each write keeps no order from being written, nor from being read", async () => {
    for (const host of hosts.all) {
      await vaultOf(host).cacheIs("refuses");
      for (const number of [1, 2, 3]) {
        expect([host.name, (await host.ask(put("flags", { version: 1, revision: number }))).status]).toStrictEqual([
          host.name,
          200,
        ]);
        const { value } = json(await host.ask(get("/orders/flags?cached=true")));
        expect([host.name, value]).toStrictEqual([host.name, { version: 1, revision: number }]);
      }
      await vaultOf(host).cacheIs("well");
      await expectWhole(host);
    }
  });

  test("H110: an order that is made after somebody found none is seen, whatever the cache remembers", async () => {
    for (const host of hosts.all) {
      await vaultOf(host).cacheIs("remembers nothing");
      const cached = async () => json(await host.ask(get("/orders/config?cached=true")));
      expect([host.name, (await cached()).version]).toStrictEqual([host.name, 0]);
      const value = { connectionPool: { maxConnections: 3 } };
      expect([host.name, (await host.ask(put("config", value))).status]).toStrictEqual([host.name, 200]);
      expect(await cached()).toMatchObject({ version: 1, value });
      await vaultOf(host).cacheIs("well");
    }
  });
});

describe("too much", () => {
  const MEMORY_MAX = 64 * 1_024 * 1_024;
  const BODY_MAX = 1_048_576;

  test("H178: 50 of the longest requests at once: others are served, and the wasm stays below 64 MB", async () => {
    for (const host of hosts.all) {
      const backup = json(await host.ask(get("/backup")));
      const restore = JSON.stringify({ backup, reason: "a test", dryRun: true });
      const bodies = [
        // What is long as it is, what is long when it is read, and what is refused when it was read.
        restore.padEnd(BODY_MAX),
        `{"backup":[${"[],".repeat(300_000)}[]],"reason":"a test"}`,
        `{"backup":{"a":"${"\\u2603".repeat(170_000)}"},"reason":"a test"}`,
      ];
      const long = (kind: number) => host.ask(post("/restore", bodies[kind]));
      const all = Array.from({ length: 50 }, (_, index) => long(index % 3));
      const others = Array.from({ length: 20 }, () => host.ask({ path: "/api/health/live" }));
      for (const { status } of await Promise.all(others)) expect([host.name, status]).toStrictEqual([host.name, 200]);
      for (const [index, answer] of (await Promise.all(all)).entries()) {
        const kind = index % 3;
        // Only the first kind needs the store. A Worker gives it up after some seconds, and says so; where nobody gets a processor
        // for so long, that is the right answer.
        const mayBeLate = host.name === "Worker" && kind === 0 && answer.status === 503;
        const status = mayBeLate && json(answer).code === "STORE_UNAVAILABLE" ? 200 : answer.status;
        expect([host.name, kind, status], answer.body.slice(0, 200)).toStrictEqual([
          host.name,
          kind,
          kind === 0 ? 200 : 422,
        ]);
      }
      // Afterwards each is answered as it would have been alone.
      await expect.poll(async () => (await long(0)).status, { timeout: 60_000 }).toBe(200);
      for (const kind of [1, 2])
        expect([host.name, kind, (await long(kind)).status]).toStrictEqual([host.name, kind, 422]);
      const { memory_bytes } = json(await host.ask({ path: "/api/status" }));
      expect(memory_bytes, host.name).toBeGreaterThan(0);
      expect(memory_bytes, host.name).toBeLessThan(MEMORY_MAX);
    }
  }, 180_000);

  test("H088: of 10,000 rapid writes those above the limit get 429, each other has one record, and the last holds everywhere", async () => {
    for (const host of hosts.all) {
      const { name, ask } = host;
      const statuses = new Map<number, number>();
      const accepted = new Map<number, number>();
      let sent = 0;
      const writers = Array.from({ length: 20 }, async () => {
        while (sent < 10_000) {
          sent += 1;
          // Within what the platform of both allows.
          const maxConnections = 1 + (sent % 5);
          const answer = await ask(put("config", { connectionPool: { maxConnections } }));
          statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
          if (answer.status === 200) accepted.set(json(answer).version, maxConnections);
          if (answer.status === 429) expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
        }
      });
      await Promise.all(writers);
      const tally = `${name}: ${JSON.stringify([...statuses])}`;
      for (const status of statuses.keys()) expect([200, 409, 429, 503], tally).toContain(status);
      expect(statuses.get(429), tally).toBeGreaterThan(0);
      expect(statuses.get(200), tally).toBe(accepted.size);
      const records = [...(await stored(host))]
        .filter(([key]) => /^audit\/\d/.test(key))
        .map(([, text]) => JSON.parse(text ?? ""))
        .filter(({ target, after }) => target === "orders/config" && accepted.has(after.version));
      expect(records.length, tally).toBe(accepted.size);
      const last = Math.max(...accepted.keys());
      const found = json(await ask(get("/orders/config")));
      expect([name, found.version, found.value.connectionPool.maxConnections]).toStrictEqual([
        name,
        last,
        accepted.get(last),
      ]);
      // An isolate looks twice a second at most.
      await expect
        .poll(
          async () => {
            await host.tick();
            return json(await ask({ path: "/api/status" })).databases.primary.config.max_connections;
          },
          { timeout: 30_000 },
        )
        .toBe(accepted.get(last));
      // The kill switch has a budget of its own.
      expect([name, (await ask(post("/kill", { reason: "a test" }))).status]).toStrictEqual([name, 200]);
      await expectWhole(host);
    }
  }, 600_000);
});
