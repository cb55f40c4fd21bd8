// What holds for every command that asks for something of operators: who may not is told so, as is who asks in vain.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../../tests/support/sqld.mjs";
import { endOf, onTerminal, run, serve, start, startOperated, TOKEN } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

const BUNDLE = mkdtempSync(join(tmpdir(), "seawall-cli-"));

/** Commands, and the least role that may do it. */
const COMMANDS: [string[], "viewer" | "operator" | "admin"][] = [
  [["config:show", "connectionPool"], "viewer"],
  [["config:validate"], "viewer"],
  [["config:update", "connectionPool", "maxConnections", "3"], "admin"],
  [["config:export", "json"], "viewer"],
  [["flags:show"], "viewer"],
  [["flags:enable", "hidden"], "operator"],
  [["flags:disable", "banner"], "operator"],
  [["flags:rollout", "banner", "25"], "operator"],
  [["flags:killswitch"], "operator"],
  [["debug:logs", "error"], "viewer"],
  [["support:bundle", BUNDLE], "viewer"],
];

let operated: Awaited<ReturnType<typeof startOperated>>;
const roles: Record<string, Record<string, string>> = {};
beforeAll(async () => {
  operated = await startOperated();
  const rules = [{ rollout: 5, serve: "on" }];
  const value = { version: 1, flags: { banner: { rules }, hidden: { enabled: false, rules } } };
  await operated.order("PUT", "/orders/flags", { value, reason: "a test" });
  for (const role of ["evaluator", "viewer", "operator", "admin"]) roles[role] = await operated.as(role);
});
afterAll(async () => {
  await operated?.stop();
  rmSync(BUNDLE, { recursive: true, force: true });
});

const LESS = { viewer: "evaluator", operator: "viewer", admin: "operator" };

describe.each(COMMANDS)("%j", (args, role) => {
  test("CLI-01 to CLI-09, CLI-25 and CLI-32: whoever has no token, or a wrong one, or too small a role, is refused with 4, and nothing is done", async () => {
    const writes = () => operated.order<{ records: unknown[] }>("GET", "/audit").then(({ records }) => records.length);
    const before = await writes();
    const { SEAWALL_URL = "" } = operated.where;
    for (const [variables, why] of [
      [{ SEAWALL_URL }, /SEAWALL_ADMIN_TOKEN/],
      [{ SEAWALL_URL, SEAWALL_ADMIN_TOKEN: "not-this-one-0123456789-0123456789" }, /token was refused/],
      [roles[LESS[role]], /FORBIDDEN/],
    ] as const) {
      const { status, stdout, stderr } = await run(args, variables);
      expect([status, stdout]).toStrictEqual([4, ""]);
      expect(stderr).toMatch(why);
    }
    expect(await writes()).toBe(before);
  });

  test("nobody there is 6, and shows no token", async () => {
    const variables = { SEAWALL_URL: `http://127.0.0.1:${await freePort()}`, SEAWALL_ADMIN_TOKEN: TOKEN };
    const { status, stdout, stderr } = await run([...args, "--debug"], variables);
    expect([status, stdout, stderr]).toStrictEqual([6, "", expect.stringContaining("nobody answers (ECONNREFUSED)")]);
    expect(stderr).not.toContain(TOKEN);
  });

  test("whoever does not wait ends it with 130", async () => {
    let asked = () => {};
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = await serve(() => asked());
    const child = start([...args], { SEAWALL_URL: server.url, SEAWALL_ADMIN_TOKEN: TOKEN });
    const ended = endOf(child);
    await wasAsked;
    child.kill("SIGINT");
    expect((await ended).status).toBe(130);
    await server.stop();
  });

  test("a pipe gets one document of JSON, as --json gives on a terminal, and with the least role", async () => {
    const piped = await run(args, roles[role]);
    expect([piped.status, Object.keys(JSON.parse(piped.stdout)).length > 0]).toStrictEqual([0, true]);
    const asked = await onTerminal([...args, "--json", "--quiet"], roles[role]);
    expect([asked.status, typeof JSON.parse(asked.stdout)]).toStrictEqual([0, "object"]);
    const people = await onTerminal(args, { ...roles[role], NO_COLOR: "1" });
    // What is exported is a file wherever it goes.
    if (args[0] !== "config:export") expect(() => JSON.parse(people.stdout)).toThrow(SyntaxError);
    expect(people.status).toBe(0);
    await operated.order("POST", "/kill/release", { reason: "a test" });
  });

  test("more words than it takes are 2, before anybody is asked", async () => {
    const asked = operated.asked.length;
    const { status, stderr } = await run([...args, "why", "and", "more"], operated.where);
    expect([status, stderr]).toStrictEqual([2, expect.stringContaining("too many arguments")]);
    expect(operated.asked).toHaveLength(asked);
  });
});
