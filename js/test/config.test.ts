import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { environmentOf } from "../src/config/environment.ts";
import { SETTINGS } from "../src/config/list.ts";
import type { SeawallOptions } from "../src/config/options.ts";
import { RENAMED, SCHEMA_VERSION } from "../src/config/variables.ts";
import { connectionFromEnv, createClient, createGuard, fromEnv } from "../src/index.ts";
import { LiveSettings } from "../src/live-settings.ts";
import { platform } from "../src/platform/platform.ts";

const quiet = { ...platform, environment: () => undefined, variable: () => undefined };
const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../../tests/conformance/${name}.json`, import.meta.url), "utf8"));
const live = (options: object) => new LiveSettings(options as SeawallOptions, "db", quiet);
const settingOf = (options: object, path: string) => live(options).effective().settings[path];
const client = (seawall: object = {}) =>
  createClient({ url: "http://127.0.0.1:1", seawall: seawall as SeawallOptions });
const problemOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("accepted");
};

describe("the environment", () => {
  const cases: { variables: Record<string, string>; is: string | null }[] = read("environments");
  test.each(cases)("EVD-01 to EVD-05: $variables is $is", ({ variables, is }) => {
    expect(environmentOf((name) => variables[name]) ?? null).toBe(is);
  });

  test("EVD-01: what was found is shown, and its defaults hold", () => {
    const on = (environment: string) => new LiveSettings({}, "db", { ...quiet, environment: () => environment });
    expect(on("test").effective("environment").settings.environment).toEqual({ value: "test", source: "this host" });
    expect(on("production").effective().settings["connectionPool.maxConnections"]?.value).toBe(5);
    expect(on("preview").effective().settings["connectionPool.maxConnections"]?.value).toBe(2);
    expect(settingOf({ environment: "staging" }, "environment")).toEqual({ value: "staging", source: "option" });
    expect(problemOf(() => live({ environment: "prod" }))).toContain("environment must be one of production, preview,");
  });
});

describe("variables", () => {
  test("ENV-20: DB_POOL_TIMEOUT is in seconds, DB_ACQUIRE_TIMEOUT in milliseconds and before it", () => {
    const path = "connectionPool.acquireTimeout";
    expect(settingOf(fromEnv({ DB_POOL_TIMEOUT: "10" }), path)).toEqual({ value: 10_000, source: "DB_POOL_TIMEOUT" });
    const both = live(fromEnv({ DB_POOL_TIMEOUT: "10", DB_ACQUIRE_TIMEOUT: "5000" })).effective();
    expect(both.settings[path]).toEqual({ value: 5_000, source: "DB_ACQUIRE_TIMEOUT" });
    expect(both.warnings).toEqual([
      "DB_ACQUIRE_TIMEOUT and DB_POOL_TIMEOUT set one setting and differ: 5000 and 10000 ms; DB_ACQUIRE_TIMEOUT holds",
    ]);
  });

  test("ENV-10: an option in code wins over a variable, a variable over a preset, and that over the default", () => {
    const path = "circuitBreaker.recoveryTimeout";
    const given = fromEnv({ CB_RECOVERY_TIMEOUT: "1000" });
    expect(settingOf({ ...given, preset: "prisma", circuitBreaker: { timeout: 5 } }, path)?.source).toBe("option");
    expect(settingOf({ ...given, preset: "prisma" }, path)).toEqual({ value: 1_000, source: "CB_RECOVERY_TIMEOUT" });
    expect(settingOf({ preset: "prisma" }, path)).toEqual({ value: 60_000, source: "preset prisma" });
    expect(settingOf({ preset: "sqlite" }, path)).toEqual({ value: 60_000, source: "preset sqlite" });
    expect(settingOf({}, path)).toEqual({ value: 30_000, source: "default" });
    expect(problemOf(() => live({ preset: "oracle" }))).toContain("preset must be one of none, prisma, sqlite");
  });

  test("CFG-03: everything that is wrong is told at once, by the variable's name", () => {
    const variables = { DB_MAX_CONNECTIONS: "0", DB_POOL_TIMEOUT: "100000", ROLLOUT_ENABLE_STATE_MACHINE: "1.5" };
    expect(problemOf(() => live({ ...fromEnv(variables), retry: { attemts: 1 } }))).toBe(
      "invalid configuration: retry.attemts: no such setting; did you mean retry.attempts?; " +
        'DB_MAX_CONNECTIONS (connectionPool.maxConnections) must be a whole number from 1 to 1000, got "0"; ' +
        "DB_POOL_TIMEOUT (connectionPool.acquireTimeout) must be a whole number from 0 to 86400000 ms, " +
        'got "100000s"; ROLLOUT_ENABLE_STATE_MACHINE (rollouts.ENABLE_STATE_MACHINE) must be a whole number from ' +
        '0 to 100 %, got "1.5"',
    );
  });

  test("ENV-34: the example parses, sets nothing but the address, and holds every variable", () => {
    const text = readFileSync(new URL("../../.env.local.example", import.meta.url), "utf8");
    const lines = text.split("\n");
    const set = Object.fromEntries(
      lines.filter((line) => /^[A-Z]/.test(line)).map((line) => line.split("=") as [string, string]),
    );
    expect(Object.keys(set)).toEqual(["TURSO_DATABASE_URL"]);
    const all = Object.fromEntries(
      lines.flatMap((line) => {
        const found = /^#? ?([A-Z][A-Z_]+)=(.*)$/.exec(line);
        return found === null ? [] : [[found[1], found[2]]];
      }),
    );
    for (const name of SETTINGS.flatMap(({ variables }) => variables)) expect(all).toHaveProperty(name);
    for (const name of [
      "TURSO_AUTH_TOKEN",
      "DATABASE_URL",
      "REDIS_URL",
      "MONGODB_URL",
      "PRODUCTION_MIGRATION_APPROVED",
    ])
      expect(all).toHaveProperty(name);
    // The values in it are the defaults.
    const { environment: _, ...defaults } = live({}).effective().settings;
    const taken = live(fromEnv(all)).effective();
    expect(taken.warnings).toEqual([]);
    for (const [path, { value }] of Object.entries(defaults))
      expect([path, taken.settings[path]?.value]).toEqual([path, value]);
  });

  test("ENV-01, ENV-02, ENV-15: the address and the token come from variables, and are not repeated", () => {
    expect(connectionFromEnv({ TURSO_DATABASE_URL: "libsql://a", TURSO_AUTH_TOKEN: "t", DATABASE_URL: "x" })).toEqual({
      url: "libsql://a",
      authToken: "t",
    });
    expect(connectionFromEnv({ DATABASE_URL: "http://127.0.0.1:8080" })).toEqual({ url: "http://127.0.0.1:8080" });
    expect(problemOf(() => connectionFromEnv({}))).toContain("TURSO_DATABASE_URL is not set");
    expect(problemOf(() => connectionFromEnv({ TURSO_DATABASE_URL: "libsql://a" }))).toContain("TURSO_AUTH_TOKEN");
    const bad = problemOf(() => connectionFromEnv({ DATABASE_URL: "postgresql://u:hunter2@h/d" }));
    expect(bad).toContain("DATABASE_URL must begin with");
    expect(bad).not.toContain("hunter2");
  });
});

describe("what nothing reads", () => {
  test("CFG-06, CFG-07, DB-02: it is checked, kept, and listed as ignored when it is set", () => {
    const options = { sqlite: { journalMode: "wal" }, stats_interval: 5, connectionPool: { mmap_size: 1024 } };
    const config = live(options).effective();
    expect(config.settings["metrics.statsInterval"]).toEqual({ value: 5_000, source: "option" });
    expect(config.ignored.map(({ name }) => name)).toEqual(["seawall.sqlite.journalMode", "seawall.sqlite.mmapSize"]);
    expect(live({}).ignored()).toEqual([]);
    expect(problemOf(() => live({ sqlite: { journalMode: "none" } }))).toContain("sqlite.journalMode must be one of");
  });
});

describe("names of Python's pools", () => {
  test.each([
    ["min_connections", 1, "connectionPool.minConnections", 1],
    ["max_connections", 50, "connectionPool.maxConnections", 50],
    ["connection_timeout", 30, "connectionPool.connectionTimeout", 30_000],
    ["initial_connections", 5, "connectionPool.initialConnections", 5],
    ["strategy", "adaptive", "connectionPool.strategy", "adaptive"],
    ["connection_warming", true, "connectionPool.connectionWarming", true],
    ["validation_interval", 60, "connectionPool.validationInterval", 60_000],
    ["max_retries", 3, "connectionPool.maxRetries", 3],
    ["retry_delay", 0.5, "connectionPool.retryDelay", 500],
    ["idle_timeout", 300, "connectionPool.idleTimeout", 300_000],
    ["health_check_interval", 30, "connectionPool.healthCheckInterval", 30_000],
    ["failure_threshold", 5, "circuitBreaker.failureThreshold", 5],
    ["recovery_timeout", 60, "circuitBreaker.recoveryTimeout", 60_000],
    ["half_open_max_calls", 3, "circuitBreaker.halfOpenMaxCalls", 3],
    ["journal_mode", "WAL", "sqlite.journalMode", "WAL"],
    ["synchronous", "NORMAL", "sqlite.synchronous", "NORMAL"],
    ["cache_size", 20_000, "sqlite.cacheSize", 20_000],
    ["temp_store", "MEMORY", "sqlite.tempStore", "MEMORY"],
    ["mmap_size", 536_870_912, "sqlite.mmapSize", 536_870_912],
    ["page_size", 4_096, "sqlite.pageSize", 4_096],
    ["wal_autocheckpoint", 1_000, "sqlite.walAutocheckpoint", 1_000],
    ["busy_timeout", 30_000, "sqlite.busyTimeout", 30_000],
    ["enable_metrics", false, "connectionPool.enableMetrics", false],
    ["enable_tracing", false, "connectionPool.enableTracing", false],
  ])("CFG-07: %s %s is %s %s", (name, given, path, value) => {
    expect(settingOf({ connectionPool: { [name]: given } }, path)).toEqual({ value, source: "option" });
  });

  test.each([
    ["enable_metrics", false, "metrics.enabled", false],
    ["enable_tracing", false, "tracing.enabled", false],
    ["stats_interval", 60, "metrics.statsInterval", 60_000],
    ["enable_query_optimization", false, "queryOptimization.enabled", false],
    ["enable_connection_warming", false, "connectionPool.connectionWarming", false],
    ["slow_query_threshold", 1, "slowQuery.threshold", 1_000],
  ])("CFG-06: %s %s is %s %s", (name, given, path, value) => {
    expect(settingOf({ [name]: given }, path)).toEqual({ value, source: "option" });
  });
});

describe("around the package", () => {
  const file = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

  test("EVD-06: it demands Node 20 or later", () => {
    expect(JSON.parse(file("js/package.json")).engines.node).toMatch(/^>=20\./);
  });

  test("EVD-09: the way to Vercel is written down beside that to Workers", () => {
    const page = file("docs/configuration.md");
    for (const words of ["vercel:preview", "vercel --prod", "wrangler deploy --env preview"])
      expect(page).toContain(words);
  });
});

describe("runtime updates", () => {
  test("CFG-02: the next operation sees them, and reconnecting keeps them", async () => {
    const db = client({ retry: { attempts: 1 } });
    db.seawall.configure({ connectionPool: { maxConnections: 4 }, circuitBreaker: { recovery_timeout: 2 } });
    expect(db.seawall.status().pool.max).toBe(4);
    expect(db.seawall.config("retry").settings["retry.attempts"]).toEqual({ value: 1, source: "option" });
    await db.execute("SELECT 1").catch(() => {});
    db.reconnect();
    expect(db.seawall.status().pool.max).toBe(4);
    expect(db.seawall.config().settings["circuitBreaker.recoveryTimeout"]?.value).toBe(2_000);
    db.close();
  });

  test("POOL-07: a changed acquire timeout holds for the next call", async () => {
    const guard = createGuard({ connectionPool: { maxConnections: 1 } }, "db", quiet);
    let free = () => {};
    const held = guard.call(
      () =>
        new Promise<void>((resolve) => {
          free = resolve;
        }),
    );
    guard.configure({ connectionPool: { acquireTimeout: 0 } });
    await expect(guard.call(async () => 1)).rejects.toMatchObject({ code: "POOL_TIMEOUT" });
    free();
    await held;
  });

  test("CFG-02: all of a patch holds, or nothing of it", () => {
    const db = client();
    const before = db.seawall.config();
    expect(
      problemOf(() => db.seawall.configure({ connectionPool: { maxConnections: 4 }, retry: { attempts: 0 } })),
    ).toContain("retry.attempts must be");
    expect(problemOf(() => db.seawall.configure({ environment: "production" }))).toContain("it takes a new client");
    expect(problemOf(() => db.seawall.configure({ authToken: () => "x" }))).toContain("it takes a new client");
    expect(problemOf(() => db.seawall.configure(null as never))).toContain("takes an object");
    expect(db.seawall.config()).toEqual(before);
    db.close();
  });

  test("CFG-05: one component is shown by its name, and an unknown one names those that there are", () => {
    const db = client({ alerts: { webhookUrl: "https://hooks.example/secret" } });
    expect(Object.keys(db.seawall.config("hedge").settings)).toEqual(["hedge.delay", "hedge.maxRatio"]);
    expect(problemOf(() => db.seawall.config("cache"))).toContain("circuitBreaker");
    expect(db.seawall.config().settings["alerts.webhookUrl"]).toEqual({ value: "(set)", source: "option" });
    expect(JSON.stringify(db.seawall.config())).not.toContain("secret");
    db.seawall.configure({ retry: { attempts: 2 } });
    expect(db.seawall.config().settings["alerts.webhookUrl"]?.value).toBe("(set)");
    db.close();
  });
});

describe("documents", () => {
  const { exports, imports, patches } = read("documents");

  test.each(exports as { options: object; settings: object; checksum?: string }[])(
    "CFG-09: $options is exported sorted, without secrets, and back to the same bytes",
    ({ options, settings, checksum }) => {
      const text = live(options).exportConfig();
      expect(JSON.parse(text).settings).toEqual(settings);
      if (checksum !== undefined) expect(JSON.parse(text).checksum).toBe(checksum);
      const other = live({});
      other.importConfig(text);
      expect(other.exportConfig()).toBe(text);
      expect(text).not.toContain("secret");
    },
  );

  test.each(imports as { document: object; options?: object; problem?: string }[])(
    "CFG-04: $document",
    ({ document, options, problem }) => {
      const settings = live({ hedge: { delay: 9 } });
      if (problem !== undefined) {
        const before = settings.effective();
        expect(problemOf(() => settings.importConfig(JSON.stringify(document)))).toBe(
          `invalid configuration: this is no document of settings: ${problem}`,
        );
        expect(settings.effective()).toEqual(before);
        return;
      }
      settings.importConfig(JSON.stringify(document));
      const taken = JSON.parse(settings.exportConfig()).settings;
      expect({ circuitBreaker: {}, ...taken }).toEqual({ circuitBreaker: {}, ...options });
    },
  );

  test.each(patches as { options: object; patch: SeawallOptions; after?: object; problem?: string }[])(
    "CFG-02: $options with $patch",
    ({ options, patch, after, problem }) => {
      const settings = live(options);
      if (problem !== undefined) {
        expect(problemOf(() => settings.configure(patch))).toBe(`invalid configuration: ${problem}`);
        return;
      }
      settings.configure(patch);
      expect(settings.options).toEqual(after);
    },
  );

  test("CFG-10: a backup comes back, and one that is cut off or changed is refused whole", () => {
    const db = client({ retry: { attempts: 2 }, timeouts: { query: "3s" } });
    const backup = db.seawall.exportConfig();
    db.seawall.configure({ retry: { attempts: 9 } });
    for (const broken of [backup.slice(0, -4), backup.replace("3000", "3001"), backup.slice(1), "", "[]", "null"]) {
      expect(problemOf(() => db.seawall.importConfig(broken))).toContain("this is no document of settings");
      expect(db.seawall.config().settings["retry.attempts"]?.value).toBe(9);
    }
    db.seawall.importConfig(backup);
    expect(db.seawall.config().settings["retry.attempts"]?.value).toBe(2);
    expect(db.seawall.exportConfig()).toBe(backup);
    db.close();
  });

  test("CFG-04: there is a way from each older version", () => {
    expect(RENAMED).toHaveLength(SCHEMA_VERSION - 1);
  });

  test("CFG-09: any settings come back as they were", () => {
    let seed = 7;
    const random = () => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    for (let round = 0; round < 50; round += 1) {
      const settings = live({});
      for (const { path, kind, min = 0, max = 0, choices = [] } of SETTINGS) {
        if (random() < 0.7 || kind === "secret") continue;
        const number = min + random() * (max - min);
        const values = {
          whole: Math.floor(number),
          number,
          switch: random() < 0.5,
          choice: choices[Math.floor(random() * choices.length)],
        };
        const [group, name] = path.split(".") as [string, string?];
        const value = values[kind as keyof typeof values];
        try {
          settings.configure(name === undefined ? { [group]: value } : { [group]: { [name]: value } });
        } catch (error) {
          expect(String(error)).toMatch(/takes a new client|above connectionPool/);
        }
      }
      const text = settings.exportConfig();
      const other = live({});
      other.importConfig(text);
      expect(other.exportConfig()).toBe(text);
      const values = (of: LiveSettings) =>
        Object.entries(of.effective().settings).map(([path, { value }]) => [path, value]);
      expect(values(other)).toEqual(values(settings));
    }
  });
});

describe("layers that are off", () => {
  test("ENV-21 to ENV-23, ENV-33: what a variable turns off is out of the path of a call", async () => {
    const given = fromEnv({ DB_CIRCUIT_BREAKER: "false", DB_MONITORING: "false", DB_TIMEOUTS: "false" });
    const off = createGuard({ ...given, connectionPool: { enabled: false } }, "db", quiet);
    const on = createGuard(
      { connectionPool: { enabled: false }, circuitBreaker: { failureThreshold: 1_000 } },
      "db",
      quiet,
    );
    for (const guard of [off, on]) {
      for (let call = 0; call < 20; call += 1) {
        await guard
          .call(() => Promise.reject(Object.assign(new Error("lost"), { code: "ECONNRESET" })))
          .catch(() => {});
      }
      await guard.call(async () => 1);
    }
    expect(on.status().totals.successful).toBe(1);
    expect(on.status().breaker.requests).toBe(21);
    // Not asked, not told, not counted.
    expect(off.status().breaker).toMatchObject({ state: "CLOSED", requests: 0, failures: 0, successes: 0 });
    expect(off.status().totals).toMatchObject({ successful: 0, failed: 0 });
    expect(off.status().recent).toMatchObject({ healthy: 0, failing: 0 });
    let timers = 0;
    const original = globalThis.setTimeout;
    globalThis.setTimeout = ((...args: Parameters<typeof original>) => {
      timers += 1;
      return original(...args);
    }) as typeof original;
    try {
      await off.call(async () => 1);
      expect(timers).toBe(0);
    } finally {
      globalThis.setTimeout = original;
    }
  });
});
