// The recipes of examples/flags-*, each as its README has it, with the packed tarball and the real framework.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Miniflare } from "miniflare";
import { createFlags } from "seawall/flags";
import { createMonitor } from "seawall/monitor";
import { strongMemoryStore } from "seawall/stores/memory";
import { strongUpstashStore } from "seawall/stores/upstash";
import { type KvNamespace, workersKvStore } from "seawall/stores/workers-kv";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRedis } from "../support/redis.mjs";
import { startSqld } from "../support/sqld.mjs";
import { startUpstashRest } from "../support/upstash-rest.mjs";
import { bundleWorker, COMPATIBILITY_DATE } from "../support/workerd.mjs";
import { type Consumer, installTarball, ROOT, run } from "./tarball.ts";

/** What a recipe answers. Those that know no tenants say nothing of invoices. */
interface Answer {
  visitor?: string;
  checkout: string;
  headline: string;
  invoices?: boolean;
}

/** Asks a recipe, as a visitor with a cookie or without one. */
type Ask = (cookie?: string, tenant?: string) => Promise<{ answer: Answer; setCookie: string | undefined }>;

let consumer: Consumer;
/** Within the repository, where frameworks are found; the package itself is the one that was packed. */
let folder: string;

beforeAll(async () => {
  consumer = await installTarball();
  mkdirSync(join(ROOT, "build"), { recursive: true });
  folder = mkdtempSync(join(ROOT, "build/recipes-"));
  cpSync(consumer.installed, join(folder, "node_modules/seawall"), { recursive: true });
});
afterAll(async () => {
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  await consumer?.remove();
});

/** What a build leaves behind, on the machine of whoever has tried a recipe. */
const BUILT = new Set([".next", "node_modules", ".wrangler", "flags.snapshot", "next-env.d.ts"]);

/** A recipe as it is checked in. */
function copyOf(recipe: string, name = recipe): string {
  const copy = join(folder, name);
  cpSync(join(ROOT, "examples", recipe), copy, { recursive: true, filter: (path) => !BUILT.has(basename(path)) });
  return copy;
}

/** Visitors whose ids are the same in each run, so nothing here is left to chance. */
const VISITORS = Array.from({ length: 400 }, (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`);
const TENANTS = Array.from({ length: 100 }, (_, at) => `tenant-${at}`);
const HEADLINES = ["Never lose a parcel", "Ships on time"];

/** Within four standard deviations of a share. */
function expectShare(count: number, of: number, share: number): void {
  const deviation = Math.sqrt(of * share * (1 - share));
  expect(Math.abs(count - of * share)).toBeLessThan(4 * deviation);
}

/** Asks for all visitors, a few at a time. */
async function answersOf(ask: Ask, visitors = VISITORS): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let at = 0; at < visitors.length; at += 20) {
    const some = visitors.slice(at, at + 20).map((visitor) => ask(`visitor=${visitor}`));
    answers.push(...(await Promise.all(some)).map(({ answer }) => answer));
  }
  return answers;
}

/** What the engine says of the same document and the same visitors, without any framework. */
function expectedOf(recipe: string): Answer[] {
  const definitions = readFileSync(join(ROOT, "examples", recipe, "flags.json"), "utf8");
  const flags = createFlags({ definitions, env: {} });
  return VISITORS.map((visitor) => {
    const user = flags.for({ targetingKey: visitor });
    return { checkout: user.boolean("new-checkout") ? "new" : "old", headline: user.string("headline") };
  });
}

const chosen = ({ checkout, headline }: Answer) => ({ checkout, headline });

/** What every recipe promises. Returns what each visitor got. */
async function expectPromises(recipe: string, ask: Ask): Promise<Answer[]> {
  // Somebody new is given an id, and keeps it and what it got.
  const first = await ask();
  const cookie = /^visitor=[0-9a-f-]{36}(?=;)/.exec(first.setCookie ?? "")?.[0];
  expect(first.setCookie).toMatch(/^visitor=[0-9a-f-]{36}; .*HttpOnly.*SameSite=lax/i);
  for (let at = 0; at < 3; at += 1) {
    const again = await ask(`other=1; ${cookie}`);
    expect(chosen(again.answer)).toEqual(chosen(first.answer));
    expect(again.setCookie).toBe(undefined);
  }
  // An id that nobody gave is not taken.
  expect((await ask("visitor=admin")).setCookie).toMatch(/^visitor=[0-9a-f-]{36};/);

  const answers = await answersOf(ask);
  expect(answers.map(chosen)).toEqual(expectedOf(recipe).map(chosen));
  expect(await answersOf(ask, VISITORS.slice(0, 40))).toEqual(answers.slice(0, 40));
  expectShare(answers.filter(({ checkout }) => checkout === "new").length, VISITORS.length, 0.25);
  const headlines = answers.map(({ headline }) => headline);
  expect([...new Set(headlines)].sort()).toEqual(HEADLINES);
  expectShare(headlines.filter((text) => text === HEADLINES[0]).length, VISITORS.length, 0.5);
  return answers;
}

/** A tenant has its invoices or has not, whoever asks for it. */
async function expectTenants(ask: Ask): Promise<void> {
  const found: (boolean | undefined)[] = [];
  for (const tenant of TENANTS) {
    const asked = VISITORS.slice(0, 3).map((visitor) => ask(`visitor=${visitor}`, tenant));
    const [one, ...others] = (await Promise.all(asked)).map(({ answer }) => answer.invoices);
    for (const other of others) expect(other).toBe(one);
    found.push(one);
  }
  expectShare(found.filter(Boolean).length, TENANTS.length, 0.5);
  expect((await ask()).answer.invoices).toBe(false);
}

/** A flag that was killed is off for everybody, and everything else is as it was. */
function expectKilled(killed: Answer[], before: Answer[]): void {
  expect(before.some(({ checkout }) => checkout === "new")).toBe(true);
  expect(killed.every(({ checkout }) => checkout === "old")).toBe(true);
  expect(killed.map(({ headline }) => headline)).toEqual(before.map(({ headline }) => headline));
}

/** Asks over HTTP a recipe that answers in JSON. */
function askAt(url: string | URL): Ask {
  return async (cookie, tenant) => {
    const headers = { ...(cookie && { cookie }), ...(tenant && { "x-tenant": tenant }) };
    const response = await fetch(url, { headers });
    expect(response.status).toBe(200);
    return { answer: (await response.json()) as Answer, setCookie: response.headers.get("set-cookie") ?? undefined };
  };
}

/** What a process writes, by line, and how it ends. */
function startedIn(project: string, args: string[], env: Record<string, string> = {}) {
  const { PATH, HOME } = process.env;
  const child = spawn(process.execPath, args, {
    cwd: project,
    env: { PATH, HOME, NEXT_TELEMETRY_DISABLED: "1", ...env },
  });
  let text = "";
  const waiting = new Set<() => void>();
  const hear = (chunk: Buffer) => {
    text += chunk;
    for (const look of waiting) look();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  /** What it wrote first that looks so. */
  const wrote = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const found = pattern.exec(text);
        if (found !== null) resolve(found);
      };
      waiting.add(look);
      child.once("exit", () => reject(new Error(`it has ended, and wrote:\n${text}`)));
      look();
    });
  return { child, wrote, stop: () => stopped(child) };
}

async function stopped(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await ended;
}

test("FLG-06 to FLG-08: the recipe for plain Node", async () => {
  const project = copyOf("flags-node");
  const { child, wrote, stop } = startedIn(project, ["server.mjs"], { PORT: "0" });
  try {
    const [url] = await wrote(/http:\/\/127\.0\.0\.1:\d+/);
    const ask = askAt(url);
    const before = await expectPromises("flags-node", ask);
    await expectTenants(ask);

    const file = join(project, "flags.json");
    const document = JSON.parse(readFileSync(file, "utf8"));
    // A fault changes nothing.
    writeFileSync(file, JSON.stringify({ ...document, revision: 2, kill: ["new-chekout"] }));
    child.kill("SIGHUP");
    await wrote(/new-chekout/);
    expect(await answersOf(ask)).toEqual(before);
    writeFileSync(file, JSON.stringify({ ...document, revision: 3, kill: ["new-checkout"] }));
    child.kill("SIGHUP");
    await wrote(/revision 3 holds/);
    expectKilled(await answersOf(ask), before);
  } finally {
    await stop();
  }
});

test("FLG-06 to FLG-08: the recipe for flags in the database, where a kill holds with the next round trip", async () => {
  const project = copyOf("flags-database");
  const sqld = await startSqld();
  const env = { TURSO_DATABASE_URL: sqld.url };
  const order = (...args: string[]) => run(process.execPath, ["operator.mjs", ...args], project, env);
  try {
    await order("publish");
    // Two processes, which nobody tells of anything.
    const servers = [1, 2].map(() => startedIn(project, ["server.mjs"], { PORT: "0", ...env }));
    try {
      const asks = await Promise.all(
        servers.map(async ({ wrote }) => {
          await wrote(/a kill holds after an isolate's next round trip/);
          return askAt((await wrote(/http:\/\/127\.0\.0\.1:\d+/))[0]);
        }),
      );
      const [ask = refused, other = refused] = asks;
      const before = await expectPromises("flags-database", ask);
      await expectTenants(ask);
      expect(await answersOf(other, VISITORS.slice(0, 40))).toEqual(before.slice(0, 40));
      const enrolled = `visitor=${VISITORS[before.findIndex(({ checkout }) => checkout === "new")]}`;
      const both = () => Promise.all(asks.map(async (each) => (await each(enrolled)).answer.checkout));
      expect(await both()).toEqual(["new", "new"]);

      await order("kill", "new-checkout");
      // Not after some time: the very next answer.
      expect(await both()).toEqual(["old", "old"]);
      expectKilled(await answersOf(ask), before);
      await order("release");
      expect(await both()).toEqual(["new", "new"]);
      expect(await answersOf(ask)).toEqual(before);

      // What cannot be ordered changes nothing.
      await expect(order("kil")).rejects.toThrow("there is no order");
      const file = join(project, "flags.json");
      const document = JSON.parse(readFileSync(file, "utf8"));
      writeFileSync(file, JSON.stringify({ ...document, flags: { "new-checkout": { rules: [{ rollout: 101 }] } } }));
      await expect(order("publish")).rejects.toThrow(/422 .*rollout/);
      expect(await both()).toEqual(["new", "new"]);
    } finally {
      await Promise.all(servers.map(({ stop }) => stop()));
    }
  } finally {
    await sqld.stop();
  }
});

const refused: Ask = () => Promise.reject(new Error("there is no such server"));

/** An operator of a fleet. */
function operatorOf(stores: Pick<Parameters<typeof createMonitor>[0], "store" | "cache">) {
  const databases = { primary: { seawall: { status: () => ({}), healthCheck: async () => true } } };
  const adminToken = "an-admin-token-of-a-test-and-of-nothing-else";
  const monitor = createMonitor({ databases, adminToken, ...stores });
  return async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify({ reason: "a test", ...body }) };
    const { status } = await monitor.handle(new Request(`https://example.com/admin/api${path}`, init));
    expect(status, path).toBe(200);
  };
}

test("FLG-06 to FLG-08 and FLG-10: the recipe for Workers", async () => {
  const project = copyOf("flags-workers");
  await run(process.execPath, ["build-flags.mjs"], project);
  await typeChecks(project);
  const modules = await bundleWorker(join(project, "src/worker.ts"));
  // What evaluates, what reads orders, and the snapshot.
  expect(modules.map(({ type }) => type).sort()).toEqual(["CompiledWasm", "CompiledWasm", "Data", "ESModule"]);
  const within = async <T>(
    bindings: Record<string, string>,
    work: (ask: Ask, kv: KvNamespace) => Promise<T>,
  ): Promise<T> => {
    // Each request looks.
    const every = { REFRESH_MS: "0", ...bindings };
    const miniflare = new Miniflare({ ...workerOf(modules), kvNamespaces: ["SEAWALL_KV"], bindings: every });
    try {
      const ask = askAt(await miniflare.ready);
      return await work(ask, (await miniflare.getKVNamespace("SEAWALL_KV")) as unknown as KvNamespace);
    } finally {
      await miniflare.dispose();
    }
  };
  const before = await within({}, async (ask, kv) => {
    await expectTenants(ask);
    const found = await expectPromises("flags-workers", ask);
    const order = operatorOf({ store: strongMemoryStore(), cache: workersKvStore(kv) });
    /** What a look finds is for the next request. */
    const settled = async () => {
      for (let at = 0; at < 20; at += 1) await ask(`visitor=${VISITORS[0]}`);
      return answersOf(ask);
    };
    await order("/kill", { flags: ["new-checkout"] });
    expectKilled(await settled(), found);
    await order("/kill/release", {});
    expect(await settled()).toEqual(found);
    return found;
  });
  const killed = await within({ FEATURE_NEW_CHECKOUT: "false" }, (ask) => answersOf(ask));
  expectKilled(killed, before);
});

test("FLG-06 to FLG-08: the recipe for Hono", async () => {
  const project = copyOf("flags-hono");
  await expectTypes(project, "src/app-flags.ts");
  await typeChecks(project);
  const modules = await bundleWorker(join(project, "src/app.ts"));
  const miniflare = new Miniflare({
    ...workerOf(modules),
    kvNamespaces: ["FLAGS"],
    // Each request looks.
    bindings: { REFRESH_MS: "0" },
  });
  try {
    const url = await miniflare.ready;
    const ask = askAt(url);
    const before = await expectPromises("flags-hono", ask);
    await expectTenants(ask);
    for (const tenant of TENANTS.slice(0, 10)) {
      const { invoices } = (await ask(`visitor=${VISITORS[0]}`, tenant)).answer;
      const { status } = await fetch(new URL("/invoices", url), { headers: { "x-tenant": tenant } });
      expect(status, tenant).toBe(invoices ? 200 : 404);
    }

    const kv = await miniflare.getKVNamespace("FLAGS");
    const document = JSON.parse(readFileSync(join(project, "flags.json"), "utf8"));
    /** Publishes, and asks until an answer is other than before, at most so often. */
    const published = async (kill: string[]) => {
      await kv.put("flags", JSON.stringify({ ...document, revision: document.revision + 1, kill }));
      for (let at = 0; at < 20; at += 1) await ask(`visitor=${VISITORS[0]}`);
      return answersOf(ask);
    };
    // A fault changes nothing.
    expect(await published(["new-chekout"])).toEqual(before);
    expectKilled(await published(["new-checkout"]), before);
    expect(await published([])).toEqual(before);
  } finally {
    await miniflare.dispose();
  }
});

/** The file as it is called up to Next.js 15, in the edge runtime, and from 16 on, in Node. */
test.each([
  { name: "middleware", isEdge: true },
  { name: "proxy", isEdge: false },
])("FLG-06 to FLG-08 and FLG-10: the recipe for Next.js, as $name", { timeout: 240_000 }, async ({ name, isEdge }) => {
  const project = copyOf("flags-next", `flags-next-${name}`);
  await expectTypes(project, "app-flags.ts");
  if (name !== "middleware") {
    const text = readFileSync(join(project, "middleware.ts"), "utf8");
    writeFileSync(join(project, `${name}.ts`), text.replace("function middleware(", `function ${name}(`));
    rmSync(join(project, "middleware.ts"));
  }
  const next = join(ROOT, "node_modules/next/dist/bin/next");
  const built = startedIn(project, [next, "build"]);
  try {
    await built.wrote(/\(Static\)\s+prerendered/);
  } finally {
    await stopped(built.child);
  }
  const compiled = readdirSync(join(project, ".next/server"), { recursive: true, encoding: "utf8" });
  // The edge runtime compiles no wasm by itself: it is given the file.
  expect(compiled.some((path) => path.endsWith(".wasm"))).toBe(isEdge);

  const within = async <T>(env: Record<string, string>, work: (ask: Ask) => Promise<T>): Promise<T> => {
    const started = startedIn(project, [next, "start", "-p", "0", "-H", "127.0.0.1"], env);
    try {
      const [url] = await started.wrote(/http:\/\/127\.0\.0\.1:\d+/);
      await started.wrote(/Ready in/);
      return await work(askPage(url));
    } finally {
      await started.stop();
    }
  };
  const before = await within({}, (ask) => expectPromises("flags-next", ask));
  expectKilled(await within({ FEATURE_NEW_CHECKOUT: "false" }, (ask) => answersOf(ask)), before);

  const redis = await startRedis();
  const rest = await startUpstashRest(redis.url, "a-token");
  try {
    const order = operatorOf({ store: strongUpstashStore({ url: rest.url, token: "a-token" }) });
    // Each request looks.
    const env = { UPSTASH_REDIS_REST_URL: rest.url, UPSTASH_REDIS_REST_TOKEN: "a-token", REFRESH_MS: "0" };
    const enrolled = `visitor=${VISITORS[before.findIndex(({ checkout }) => checkout === "new")]}`;
    await within(env, async (ask) => {
      /** What a look finds is for the next request. */
      const becomes = (checkout: string) =>
        expect.poll(async () => (await ask(enrolled)).answer.checkout, { timeout: 20_000 }).toBe(checkout);
      await becomes("new");
      await order("/kill", { flags: ["new-checkout"] });
      await becomes("old");
      expectKilled(await answersOf(ask), before);
      await order("/kill/release", {});
      await becomes("new");
      expect(await answersOf(ask)).toEqual(before);
    });
  } finally {
    await rest.stop();
    await redis.stop();
  }
});

/** Asks a recipe that answers with a page. */
function askPage(url: string): Ask {
  return async (cookie) => {
    const response = await fetch(url, { headers: cookie ? { cookie } : {} });
    expect(response.status).toBe(200);
    const [, headline = "", checkout = ""] =
      /<h1>(.*?)<\/h1><p>The (\w+) checkout<\/p>/.exec(await response.text()) ?? [];
    return { answer: { headline, checkout }, setCookie: response.headers.get("set-cookie") ?? undefined };
  };
}

/** Modules as Miniflare takes them. */
function workerOf(modules: Awaited<ReturnType<typeof bundleWorker>>) {
  return {
    cf: false as const,
    host: "127.0.0.1",
    compatibilityDate: COMPATIBILITY_DATE,
    modulesRoot: "/",
    modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
  };
}

/** What is checked in is what the command writes. */
async function expectTypes(project: string, file: string): Promise<void> {
  const cli = join(folder, "node_modules/seawall/dist/cli.js");
  const written = await run(process.execPath, [cli, "flags:types", "flags.json"], project);
  expect(readFileSync(join(project, file), "utf8")).toBe(written);
}

async function typeChecks(project: string): Promise<void> {
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [compiler, "--noEmit", "-p", project], project);
}
