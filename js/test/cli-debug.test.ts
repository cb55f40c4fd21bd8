// What the command line tells of a database that is not well, and what it packs for who helps.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { strongMemoryStore } from "seawall/stores/memory";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { onTerminal, run, startOperated, startWatched, TOKEN } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

let watched: Awaited<ReturnType<typeof startWatched>>;
let folder: string;
let where: Record<string, string>;
beforeAll(async () => {
  watched = await startWatched({ store: strongMemoryStore() }, { level: "warn", sink: () => {} });
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
  where = { SEAWALL_URL: watched.url, SEAWALL_ADMIN_TOKEN: TOKEN };
  for (let index = 0; index < 5; index += 1) await watched.primary.execute("SELECT 1");
  await watched.primary.execute({ sql: "SELECT 2", seawall: { operationName: "report" } });
});
afterAll(async () => {
  await watched?.stop();
  await rm(folder, { recursive: true, force: true });
});

const json = async (...args: string[]) => {
  const { status, stdout, stderr } = await run(args, where);
  expect([status, stderr]).toStrictEqual([0, ""]);
  return JSON.parse(stdout);
};
const people = async (...args: string[]) => (await onTerminal(args, { ...where, NO_COLOR: "1" })).stdout;

describe("while the database is well", () => {
  test("CLI-22: each connection is there with its state, and what became of connections", async () => {
    const { databases } = await json("debug:connections");
    expect(databases.primary).toMatchObject({
      active: 0,
      waiting: 0,
      connections: [{ id: expect.any(Number), state: "ready", uses: expect.any(Number), errors: 0 }],
      history: expect.objectContaining({ created: expect.any(Number) }),
    });
    expect(await people("debug", "connections", "primary")).toMatch(
      /^primary: 0 in use, \d+ idle, 0 waiting, 0 % used\nCONNECTION\s+STATE\s+USES\s+ERRORS\n\s*\d+\s+ready\s+\d+\s+0\nhistory: .*created \d+/,
    );
  });

  test("CLI-23: times are told as quantiles, and named operations by how long they take", async () => {
    const { databases, slowest } = await json("debug:performance");
    const { count, meanMs, p50Ms, p95Ms, p99Ms, slow } = databases.primary;
    expect(count).toBeGreaterThanOrEqual(6);
    expect([0 < meanMs, 0 < p50Ms, p50Ms <= p95Ms, p95Ms <= p99Ms, slow]).toStrictEqual([true, true, true, true, 0]);
    expect(slowest).toContainEqual({ operation: "report", count: 1, meanMs: expect.any(Number) });
    const shown = await people("debug:performance");
    expect(shown).toMatch(/^DATABASE\s+ATTEMPTS\s+MEAN\s+P50\s+P95\s+P99\s+WAIT P95\s+SLOW\nprimary\s+\d+/);
    expect(shown).toMatch(/^report\s+1\s+[\d.]+ ms$/m);
  });

  test("CLI-24: a circuit that is closed says so, and asks for nothing", async () => {
    const { circuits, errors } = await json("debug:circuit-breaker");
    expect(circuits.primary).toMatchObject({
      state: "CLOSED",
      failures: 0,
      retryAt: null,
      retryInMs: null,
      heldAs: null,
    });
    expect(circuits.primary.outcomes.success).toBeGreaterThanOrEqual(6);
    expect(errors).toStrictEqual([]);
  });

  test("a database, a level and a time that there are not are 2, with what was meant", async () => {
    for (const [args, expected] of [
      [["debug:circuit-breaker", "primry"], "Did you mean primary?"],
      [["debug:connections", "__proto__"], "All: primary"],
      [["debug:logs", "eror"], "Did you mean error?"],
      [["debug:logs", "error", "two"], "Hours are a number"],
      [["debug:logs", "error", "0"], "Hours are a number"],
    ] as const) {
      const { status, stdout, stderr } = await run(args, where);
      expect([status, stdout, stderr]).toStrictEqual([2, "", expect.stringContaining(expected)]);
    }
  });

  test("CLI-32: a bundle has settings, health and flags as the commands tell them, and no secret", async () => {
    const bundle = join(folder, "incident-7");
    const { files, missing } = await json("support:bundle", bundle);
    expect([files.length, missing]).toStrictEqual([3, []]);
    const texts = await Promise.all((await readdir(bundle)).sort().map((name) => readFile(join(bundle, name), "utf8")));
    const [settings, flags, health] = texts.map((text) => JSON.parse(text));
    expect(settings).toMatchObject({ kind: "seawall-config" });
    expect(flags).toMatchObject({ version: 0, flags: { ENABLE_CIRCUIT_BREAKER: { state: "off" } } });
    expect(health).toMatchObject({
      status: "healthy",
      health: { database: { connected: true } },
      overview: { scope: "isolate" },
    });
    expect(texts.join()).not.toContain(TOKEN);
    const nowhere = await run(["support:bundle", "/dev/null/bundle"], where);
    expect([nowhere.status, nowhere.stderr]).toStrictEqual([3, expect.stringContaining("ENOTDIR")]);
  });
});

test("CLI-24 and CLI-32: where there is no store of orders, or it is gone, the rest is told, and what is missing", async () => {
  const storeless = await startOperated({ store: undefined as never });
  const circuit = await run(["debug:circuit-breaker"], storeless.where);
  expect([circuit.status, JSON.parse(circuit.stdout)]).toMatchObject([0, { control: null, circuits: { primary: {} } }]);
  const bundle = join(folder, "storeless");
  const packed = await run(["support:bundle", bundle], storeless.where);
  expect([packed.status, JSON.parse(packed.stdout)]).toMatchObject([
    1,
    { missing: ["support-config.json", "support-flags.json"] },
  ]);
  expect(JSON.parse(await readFile(join(bundle, "support-flags.json"), "utf8"))).toMatchObject({
    error: { code: "STORE_UNAVAILABLE" },
  });
  await storeless.stop();
});

/** In the order in which they stand: from here on the database is gone. */
describe("when the database goes away", () => {
  test("CLI-24: an open circuit says when it lets a probe through, what failed last, and what to do", async () => {
    await watched.sqld.kill();
    for (let index = 0; index < 3; index += 1) await watched.primary.execute("SELECT 1").catch(() => {});
    await watched.monitor.tick();
    const { circuits, errors } = await json("debug:circuit-breaker", "primary");
    expect(circuits.primary).toMatchObject({ state: "OPEN", retryAt: expect.stringMatching(/^20\d\d-/) });
    expect(circuits.primary.retryInMs).toBeGreaterThan(3_000_000);
    expect(errors.length).toBeGreaterThan(0);
    const shown = await people("debug:circuit-breaker");
    expect(shown).toMatch(/^primary\s+OPEN\s+\d+\s+in \d+ s/m);
    expect(shown).toContain('seawall flags:disable ENABLE_CIRCUIT_BREAKER "why"');
    const { SEAWALL_URL = "" } = where;
    const stranger = await run(["debug:circuit-breaker"], { SEAWALL_URL });
    expect([stranger.status, JSON.parse(stranger.stdout).errors]).toStrictEqual([0, null]);
  });

  test("CLI-25: records of the log are told by level and age", async () => {
    const { records } = await json("debug:logs", "warn", "2");
    expect(records.length).toBeGreaterThan(0);
    expect(records.every(({ level }: { level: string }) => level === "warn" || level === "error")).toBe(true);
    expect(await people("debug", "logs", "warn", "2")).toMatch(/^20\S+Z (WARN|ERROR) /);
  });
});
