// Settings from the command line, through a real monitor to a real client.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createClient } from "seawall";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { onTerminal, run, shell, startOperated } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

const PLAIN = { NO_COLOR: "1" };
const SECRET = "hooks.example.com/secret-path";

let client: ReturnType<typeof createClient>;
let operated: Awaited<ReturnType<typeof startOperated>>;
let folder: string;
let where: Record<string, string>;
beforeEach(async () => {
  client = createClient({ url: "http://127.0.0.1:9" });
  operated = await startOperated({ databases: { primary: client }, admin: { followIntervalMs: 100 } });
  ({ where } = operated);
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
});
afterEach(async () => {
  await operated.stop();
  client.close();
  await rm(folder, { recursive: true });
});

const order = (value: object) => operated.order("PUT", "/orders/config", { value, reason: "a test" });
const holds = async (path: string) => {
  await operated.monitor.tick();
  return client.seawall.config().settings[path]?.value;
};
const update = (...args: string[]) => run(["config:update", ...args], where);

describe("config:show", () => {
  test("CLI-01: each setting has its value and who says so: the order, or the default of the environment", async () => {
    await order({ connectionPool: { max_connections: 3 } });
    const { status, stdout } = await run(["config:show", "connectionPool"], where);
    const { scope, environment, version, settings } = JSON.parse(stdout);
    expect([status, scope, environment, version]).toStrictEqual([0, "orders", "development", 1]);
    expect(Object.keys(settings)).toStrictEqual(["connectionPool"]);
    expect(settings.connectionPool).toMatchObject({
      maxConnections: { value: 3, origin: "order 1" },
      minConnections: { value: 1, origin: "default" },
    });
    const people = await onTerminal(["config", "show", "--origin"], { ...where, ...PLAIN });
    expect(people.stdout).toMatch(/^connectionPool\s+maxConnections\s+3\s+order 1$/m);
    expect(people.stdout).toMatch(/^general\s+environment\s+development\s+profile$/m);
    expect(people.stdout).toContain("code and variables may say otherwise");
  });

  test("CLI-01: with --local it is what variables make, asks nobody, and shows no secret", async () => {
    const { status, stdout } = await run(["config:show", "--local"], {
      ...where,
      DB_POOL_TIMEOUT: "2",
      DB_ALERT_WEBHOOK_URL: `https://${SECRET}`,
    });
    const { settings } = JSON.parse(stdout);
    expect(settings.connectionPool.acquireTimeout).toStrictEqual({ value: 2_000, origin: "DB_POOL_TIMEOUT" });
    expect(settings.alerts.webhookUrl).toStrictEqual({ value: "(set)", origin: "DB_ALERT_WEBHOOK_URL" });
    expect([status, stdout.includes(SECRET), operated.asked]).toStrictEqual([0, false, []]);
  });

  test("CLI-01: a component that there is not is 2, with the one that was meant", async () => {
    const { status, stderr } = await run(["config:show", "conectionPool"], where);
    expect([status, stderr]).toStrictEqual([2, expect.stringContaining("Did you mean connectionPool?")]);
    expect((await run(["config:show", "constructor"], where)).status).toBe(2);
    expect(operated.asked).toStrictEqual([]);
  });
});

describe("config:validate", () => {
  test("CLI-02: what is ordered and was taken is valid", async () => {
    await order({ retry: { attempts: 2 } });
    await operated.monitor.tick();
    const { status, stdout } = await run(["config:validate"], where);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { valid: true, problems: [] }]);
    const people = await onTerminal(["config:validate"], { ...where, ...PLAIN });
    expect(people.stdout).toBe("valid: the settings that were ordered, version 1\n");
  });

  test("CLI-02: what a client cannot take while it runs is 1, and names the setting", async () => {
    await order({ queryCache: { enabled: true } });
    await operated.monitor.tick();
    const { status, stdout } = await run(["config:validate"], where);
    expect([status, JSON.parse(stdout).valid]).toStrictEqual([1, false]);
    expect(JSON.parse(stdout).problems.join()).toContain("cannot change while it runs");
  });

  test("CLI-02: all problems of variables and of files are told at once, with 1", async () => {
    const local = await run(["config:validate", "--local"], { DB_POOL_TIMEOUT: "abc", DB_MAX_CONNECTIONS: "-3" });
    expect([local.status, JSON.parse(local.stdout).problems]).toStrictEqual([
      1,
      [expect.stringContaining("DB_MAX_CONNECTIONS"), expect.stringContaining("DB_POOL_TIMEOUT")],
    ]);
    const file = join(folder, "config.json");
    for (const [text, problems] of [
      ['{"retry": {"attempts": -1}, "retries": 3}', [/retries.*did you mean retry/, /attempts/]],
      ["{", [/no JSON/]],
      ["[]", [/no object/]],
      ['{"kind": "seawall-config", "schemaVersion": 99}', [/newer release/]],
    ] as const) {
      await writeFile(file, text);
      const { status, stdout } = await run(["config:validate", file]);
      const told = JSON.parse(stdout).problems;
      expect([status, told]).toStrictEqual([1, problems.map((problem) => expect.stringMatching(problem))]);
    }
    expect((await run(["config:validate", join(folder, "none.json")])).status).toBe(2);
    const piped = await run(["config:validate", "-"], {}, '{"retry": {"attempts": 2}}');
    expect([piped.status, JSON.parse(piped.stdout).valid]).toStrictEqual([0, true]);
  });
});

describe("config:update", () => {
  test("CLI-03, CFG-02 and CFG-05: a setting holds in a client that runs, and is taken back", async () => {
    await order({ connectionPool: { max_connections: 4 }, retry: { attempts: 2 } });
    const { status, stdout, stderr } = await update("connectionPool", "maxConnections", "3", "--reason", "it is slow");
    expect([status, stderr]).toStrictEqual([0, ""]);
    expect(JSON.parse(stdout)).toMatchObject({
      setting: "connectionPool.maxConnections",
      changed: true,
      from: { value: 4, isOrdered: true },
      to: { value: 3, isOrdered: true },
      version: 2,
      reason: "it is slow",
      next: "seawall config:update connectionPool maxConnections 4",
    });
    await expect.poll(() => holds("connectionPool.maxConnections"), { timeout: 10_000 }).toBe(3);
    expect(await holds("retry.attempts")).toBe(2);
    const taken = await update("connectionPool", "max_connections", "--unset");
    expect(JSON.parse(taken.stdout)).toMatchObject({
      from: { value: 3 },
      to: { value: expect.any(Number), isOrdered: false },
    });
    const { value } = await operated.order<{ value: object }>("GET", "/orders/config");
    expect(value).toStrictEqual({ retry: { attempts: 2 } });
    const { records } = await operated.order<{ records: object[] }>("GET", "/audit");
    expect(records[1]).toMatchObject({ action: "replaceConfig", reason: "it is slow" });
  });

  test("CLI-03: people see what was and what is, and how to go back", async () => {
    const args = ["config:update", "circuitBreaker", "recoveryTimeout", "45s"];
    const { status, stdout } = await onTerminal(args, { ...where, ...PLAIN });
    expect(stdout).toMatch(
      /^circuitBreaker\.recoveryTimeout: \d+ \(not ordered\) → 45000\n.* Back: seawall config:update circuitBreaker recoveryTimeout --unset\n$/,
    );
    expect(status).toBe(0);
  });

  test.each([
    ["a component", ["conectionPool", "maxConnections", "3"], "Did you mean connectionPool?"],
    ["a key", ["connectionPool", "maxConections", "3"], "Did you mean maxConnections?"],
    ["a word for a number", ["connectionPool", "maxConnections", "many"], "whole number, 1 to 1000"],
    ["a number out of range", ["connectionPool", "maxConnections", "1001"], "whole number, 1 to 1000"],
    ["a fraction", ["connectionPool", "maxConnections", "1.5"], "whole number, 1 to 1000"],
    ["a switch", ["connectionPool", "enabled", "yes"], "true or false"],
    ["a choice", ["connectionPool", "strategy", "adaptve"], "(Did you mean adaptive?)"],
    ["no value", ["connectionPool", "maxConnections"], "--unset"],
    ["a secret", ["alerts", "webhookUrl", `https://${SECRET}`], "is a secret"],
    ["an object's own name", ["__proto__", "polluted", "1"], "no component"],
  ])("CLI-03: %s is refused with 2 before anybody is asked", async (_, args, expected) => {
    const { status, stdout, stderr } = await update(...args);
    expect([status, stdout, stderr]).toStrictEqual([2, "", expect.stringContaining(expected)]);
    expect([stderr.includes(SECRET), operated.asked]).toStrictEqual([false, []]);
  });

  test("CLI-03: settings that do not go together are refused, and nothing is changed", async () => {
    const { status, stderr } = await update("connectionPool", "minConnections", "1000");
    expect([status, stderr]).toStrictEqual([2, expect.stringContaining("minConnections")]);
    expect(operated.asked.filter((request) => request.startsWith("PUT"))).toStrictEqual([]);
  });

  test("H070: who comes second is told so with 5", async () => {
    operated.once(/^PUT/, () => order({ retry: { attempts: 2 } }));
    const { status, stderr } = await update("connectionPool", "maxConnections", "3");
    expect([status, stderr]).toStrictEqual([5, expect.stringContaining("ORDER_CHANGED")]);
  });

  test("a dry run tells what would be, and writes nothing", async () => {
    const { status, stdout } = await update("connectionPool", "maxConnections", "3", "--dry-run");
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { dryRun: true, to: { value: 3 }, version: 0 }]);
    expect((await operated.order<{ version: number }>("GET", "/orders/config")).version).toBe(0);
  });
});

describe("config:export", () => {
  test("CLI-04 and CFG-09: into a file by either way it is a valid document, which brings the same settings back", async () => {
    await order({ retry: { attempts: 2 }, connectionPool: { maxConnections: 3 } });
    const [one, other] = [join(folder, "support-config.json"), join(folder, "config-backup.json")];
    expect((await shell(`$CLI config:export json > '${one}'`, where)).status).toBe(0);
    expect((await run(["config:export", "json", other], where)).status).toBe(0);
    const text = await readFile(one, "utf8");
    expect(text).toBe(await readFile(other, "utf8"));
    expect(JSON.parse(text)).toMatchObject({
      kind: "seawall-config",
      checksum: expect.any(String),
      settings: { connectionPool: { maxConnections: 3 }, retry: { attempts: 2 } },
    });
    expect((await run(["config:validate", one])).status).toBe(0);
    const restored = createClient({ url: "http://127.0.0.1:9" });
    restored.seawall.importConfig(text);
    expect(restored.seawall.exportConfig()).toBe(text);
    restored.close();
  });

  test("CLI-04: of variables it has no secrets; another format, and a folder that is not there, are refused", async () => {
    const { stdout } = await run(["config:export", "--local"], {
      DB_ALERT_WEBHOOK_URL: `https://${SECRET}`,
      DB_MAX_CONNECTIONS: "3",
    });
    expect(JSON.parse(stdout).settings).toStrictEqual({ connectionPool: { maxConnections: 3 } });
    const format = await run(["config:export", "jsn"], where);
    expect([format.status, format.stderr]).toStrictEqual([2, expect.stringContaining("Did you mean json?")]);
    const lost = await run(["config:export", "json", join(folder, "no/such.json")], where);
    expect([lost.status, lost.stderr]).toStrictEqual([3, expect.stringContaining("ENOENT")]);
  });
});
