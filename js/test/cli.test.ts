// What the command line tells of a real database behind a real monitor: to programs, to people, and while both watch.
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { endOf, onTerminal, run, shell, start, startWatched, TOKEN } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

let watched: Awaited<ReturnType<typeof startWatched>>;
let folder: string;
let where: Record<string, string>;

beforeAll(async () => {
  watched = await startWatched();
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
  where = { SEAWALL_URL: watched.url, SEAWALL_ADMIN_TOKEN: TOKEN };
  await watched.primary.execute("SELECT 1");
});
afterAll(async () => {
  await watched?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("while the database is well", () => {
  test("HLT-27: a program is told that all is well, with the score and what lowered it", async () => {
    const { status, stdout, stderr } = await run(["monitor:health"], where);
    expect(stderr).toBe("");
    expect(JSON.parse(stdout)).toMatchObject({
      status: "healthy",
      score: 100,
      scope: "isolate",
      databases: { primary: { state: "healthy", score: 100, circuit: "CLOSED", failures: 0, parts: [] } },
      alerts: [],
    });
    expect(status).toBe(0);
  });

  test("HLT-27: people on a terminal are told the same in words", async () => {
    const { status, stdout } = await onTerminal(["monitor:health"], { ...where, NO_COLOR: "1" });
    expect(stdout).toMatch(/^HEALTHY {2}score 100 of 100 {2}20\S+Z, as one isolate sees it\n/);
    expect(stdout).toMatch(/^primary\s+healthy\s+100\s+CLOSED\s+0\s+nothing$/m);
    expect(stdout).toContain("No alert fires.");
    expect(status).toBe(0);
  });

  test("the whole documents are there for who wants details", async () => {
    const { stdout } = await run(["monitor:health", "--detailed"], where);
    const { health, overview } = JSON.parse(stdout);
    expect(health.database.connectionPool).toMatchObject({ active: 0 });
    expect(overview.databases.primary.config.type).toBe("libsql");
    const people = await onTerminal(["monitor:health", "--detailed"], { ...where, NO_COLOR: "1" });
    expect(people.stdout).toMatch(/^connected\s+yes$/m);
  });

  test("ALR-11: metrics that are written to a file are JSON, with what was counted", async () => {
    for (let index = 0; index < 7; index += 1) await watched.primary.execute("SELECT 1");
    const metrics = join(folder, "metrics.json");
    // What was shown is shown again for a second.
    await expect
      .poll(
        async () => {
          const { status, stdout } = await shell(`$CLI monitor:metrics > '${metrics}'`, where);
          expect([status, stdout]).toStrictEqual([0, ""]);
          const { categories } = JSON.parse(readFileSync(metrics, "utf8"));
          const family = categories.operations.find((it: { name: string }) => it.name === "seawall_operations_total");
          const of = (outcome: string) =>
            family.series.find((it: { labels: Record<string, string> }) => it.labels.outcome === outcome)?.value;
          return of("success");
        },
        { timeout: 5_000 },
      )
      .toBeGreaterThanOrEqual(8);
    const { scope, categories } = JSON.parse(readFileSync(metrics, "utf8"));
    expect(scope).toBe("isolate");
    const times = categories.performance.find((it: { name: string }) => it.name.endsWith("operation_duration_seconds"));
    const [{ histogram }] = times.series;
    expect(histogram.buckets.at(-1)).toStrictEqual({ le: null, count: histogram.count });
    expect(histogram.count).toBeGreaterThanOrEqual(8);
  });

  test("MET-39: one category shows its own metrics, and one that there is not is told which there are", async () => {
    const { status, stdout } = await run(["monitor:metrics", "performance"], where);
    expect(status).toBe(0);
    expect(Object.keys(JSON.parse(stdout).categories)).toStrictEqual(["performance"]);
    const asked = watched.asked.length;
    const refused = await run(["monitor:metrics", "perfomance"], where);
    expect(refused.status).toBe(2);
    expect(refused.stdout).toBe("");
    expect(refused.stderr).toContain("performance, connections, reliability, cache, operations, fleet, business");
    expect(refused.stderr).toContain("Did you mean performance?");
    expect(watched.asked).toHaveLength(asked);
  });

  test("on a terminal metrics are tables", async () => {
    const { status, stdout } = await onTerminal(["monitor:metrics", "performance"], { ...where, NO_COLOR: "1" });
    expect(stdout).toMatch(/^performance\nMETRIC\s+LABELS\s+VALUE\n/);
    expect(stdout).toMatch(/db_client_operation_duration_seconds\s+.*db_namespace=primary.*\d+ times, .* on average/);
    expect(status).toBe(0);
  });

  test("CLI-21: pools are a table for people and JSON for programs", async () => {
    const { status, stdout } = await run(["monitor:connections"], where);
    expect(JSON.parse(stdout).databases.primary).toMatchObject({
      active: 0,
      waiting: 0,
      utilization: 0,
      circuit: "CLOSED",
      connections: [{ id: expect.any(Number), state: "ready", uses: expect.any(Number), errors: 0 }],
    });
    expect(status).toBe(0);
    const people = await onTerminal(["monitor:connections"], { ...where, NO_COLOR: "1" });
    expect(people.stdout).toMatch(
      /^DATABASE\s+TYPE\s+IN USE\s+IDLE\s+WAITING\s+MIN\s+MAX\s+UTILIZATION\s+SUCCESS\s+CIRCUIT\n/,
    );
    expect(people.stdout).toMatch(/^primary\s+libsql\s+0\s+\d+\s+0\s+\d+\s+\d+\s+0 %\s+100 %\s+CLOSED$/m);
  });

  test.each([
    [["monitor", "connections"]],
    [["--json", "monitor", "connections", "--quiet"]],
    [["monitor", "--timeout", "5000", "connections"]],
    [["--timeout=5000", "monitor:connections"]],
  ])("%j is monitor:connections", async (args) => {
    const { status, stdout } = await run(args, where);
    expect(status).toBe(0);
    expect(Object.keys(JSON.parse(stdout).databases)).toStrictEqual(["primary"]);
  });

  test("colours are for terminals, and not for those who do not want them", async () => {
    const isColored = async (variables: Record<string, string>, args: string[] = []) =>
      (await onTerminal(["monitor:connections", ...args], { ...where, ...variables })).stdout.includes("\u001b[");
    expect(await isColored({})).toBe(true);
    for (const variables of [{ NO_COLOR: "1" }, { TERM: "dumb" }, { FORCE_COLOR: "0" }])
      expect(await isColored(variables), JSON.stringify(variables)).toBe(false);
    expect(await isColored({ TERM: "dumb", FORCE_COLOR: "1" })).toBe(true);
    expect(await isColored({}, ["--no-color"])).toBe(false);
    expect(await isColored({}, ["--json"])).toBe(false);
    expect((await run(["monitor:connections"], { ...where, CI: "true" })).stdout).not.toContain("\u001b");
  });

  test("whoever reads only the beginning ends it without a word", async () => {
    const { stderr, stdout } = await shell("$CLI monitor:metrics | head -c 1", where);
    expect(stdout).toBe("{");
    expect(stderr).toBe("");
  });

  test("a token comes from a file or from stdin, and is shown nowhere", async () => {
    const { SEAWALL_URL = "" } = where;
    for (const [token, status] of [
      [TOKEN, 0],
      [`${TOKEN}-not`, 4],
    ] as const) {
      const ended = await run(["monitor:health", "--debug", "--token-file", "-"], { SEAWALL_URL }, `${token}\n`);
      expect(ended.status).toBe(status);
      expect(ended.stderr).toContain("/admin/api/alerts");
      expect(ended.stdout + ended.stderr).not.toContain(TOKEN);
    }
  });
});

/** In the order in which they stand: from here on the database is gone. */
describe("when the database goes away", () => {
  test("HLT-27: who watches is told of health and alerts as they change, until Ctrl-C", async () => {
    const child = start(["monitor:health", "--watch", "--interval", "200"], where);
    const ended = endOf(child);
    let text = "";
    child.stdout?.on("data", (chunk: string) => {
      text += chunk;
    });
    const looks = () =>
      text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line));
    await expect.poll(() => looks().at(-1)?.status, { timeout: 10_000 }).toBe("healthy");
    await watched.sqld.kill();
    for (let index = 0; index < 3; index += 1) await watched.primary.execute("SELECT 1").catch(() => {});
    await expect.poll(() => looks().at(-1)?.databases.primary.circuit, { timeout: 10_000 }).toBe("OPEN");
    await watched.monitor.tick();
    await expect.poll(() => looks().at(-1)?.alerts.length, { timeout: 10_000 }).toBeGreaterThan(0);
    expect(
      looks()
        .at(-1)
        .alerts.map(({ rule }: { rule: string }) => rule),
    ).toContain("circuitBreakerState");
    child.kill("SIGINT");
    expect((await ended).status).toBe(130);
  });

  test("HLT-27: what is not healthy ends with 1, and says what lowered the score and which alerts fire", async () => {
    const { status, stdout } = await run(["monitor:health"], where);
    const { databases, alerts, ...report } = JSON.parse(stdout);
    expect(report.status).toBe("unhealthy");
    expect(databases.primary).toMatchObject({ state: "unhealthy", circuit: "OPEN" });
    expect(databases.primary.parts).toContainEqual({ name: "circuit", points: 40, isCritical: true });
    expect(alerts).toContainEqual(expect.objectContaining({ rule: "circuitBreakerState", severity: "critical" }));
    expect(status).toBe(1);
    const people = await onTerminal(["monitor", "health"], { ...where, NO_COLOR: "1" });
    expect(people.stdout).toMatch(/^UNHEALTHY {2}score \d+ of 100/);
    expect(people.stdout).toMatch(/circuit -40/);
    expect(people.stdout).toMatch(/^CRITICAL circuitBreakerState of primary: /m);
    expect(people.status).toBe(1);
  });

  test("without a token the alerts of the first database are told, and that they are not all", async () => {
    const { SEAWALL_URL = "" } = where;
    const { status, stdout, stderr } = await run(["monitor:health"], { SEAWALL_URL });
    expect(JSON.parse(stdout).alerts.length).toBeGreaterThan(0);
    expect(stderr).toMatch(/^Without a token .* SEAWALL_ADMIN_TOKEN/);
    expect(status).toBe(1);
  });
});
