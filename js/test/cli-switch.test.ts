// Flags that are switched from the command line, through a real monitor: what holds afterwards, and what is told of it.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFlags } from "seawall/flags";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { onTerminal, run, serve, startOperated } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

const PLAIN = { NO_COLOR: "1" };

let operated: Awaited<ReturnType<typeof startOperated>>;
let where: Record<string, string>;
beforeEach(async () => {
  operated = await startOperated();
  ({ where } = operated);
});
afterEach(() => operated.stop());

async function publish(flags: object, rest: object = {}): Promise<void> {
  await operated.order("PUT", "/orders/flags", { value: { version: 1, flags, ...rest }, reason: "a test" });
}

/** What is served of all flags to somebody, by what the monitor has seen. */
async function served(): Promise<Record<string, unknown>> {
  await operated.monitor.tick();
  const flags = createFlags({ monitor: operated.monitor, env: {} });
  try {
    return { ...flags.for({ targetingKey: "user-7" }).all() };
  } finally {
    flags.close();
  }
}

const json = async (args: string[]) => {
  const { status, stdout, stderr } = await run(args, where);
  expect([status, stderr]).toStrictEqual([0, expect.not.stringContaining("error")]);
  return JSON.parse(stdout);
};

describe("flags:show", () => {
  test("CLI-05: into a file it is JSON with each flag, the layers, and what is killed", async () => {
    await publish({
      banner: { owner: "web", rules: [{ rollout: 25, serve: "on" }] },
      plain: {},
      off: { enabled: false },
    });
    await operated.order("POST", "/kill", { flags: ["plain"], reason: "it fails" });
    const { version, kill, flags } = await json(["flags:show"]);
    expect([version, kill]).toMatchObject([1, { version: 1, all: false, flags: ["plain"], reason: "it fails" }]);
    expect(flags).toMatchObject({
      banner: { state: "partly", percent: 25, offBy: null, by: "document", rules: 1, owner: "web" },
      plain: { state: "off", offBy: "kill" },
      off: { state: "off", offBy: "flag" },
      ENABLE_CIRCUIT_BREAKER: { state: "off", by: "settings" },
      ENABLE_ENTERPRISE_MONITORING: { state: "on", by: "settings" },
    });
    const { flags: one } = await json(["flags", "show", "FEATURE_BANNER"]);
    expect(one).toStrictEqual({
      banner: expect.objectContaining({ definition: { owner: "web", rules: [{ rollout: 25, serve: "on" }] } }),
    });
  });

  test("CLI-05: on a terminal it is a table, and --json is JSON there, too", async () => {
    await publish({ banner: { owner: "web", rules: [{ rollout: 25, serve: "on" }] } });
    const people = await onTerminal(["flags:show"], { ...where, ...PLAIN });
    expect(people.stdout).toMatch(/^FLAG\s+STATE\s+RULES\s+OWNER\s+SAID BY\n/);
    expect(people.stdout).toMatch(/^banner\s+on for 25 %\s+1\s+web\s+document$/m);
    await operated.order("POST", "/kill", { reason: "it fails" });
    const killed = await onTerminal(["flags:show"], { ...where, ...PLAIN });
    expect(killed.stdout).toMatch(/^EVERY FLAG IS OFF .*it fails\n/);
    expect(killed.stdout).toMatch(/^banner\s+off \(killed\)/m);
    const program = await onTerminal(["flags:show", "--json"], where);
    expect(JSON.parse(program.stdout).kill.all).toBe(true);
  });
});

describe("one flag", () => {
  test("CLI-06, CLI-07 and FLG-14: a flag is turned off and on again, by its key or its variable, and the log says who and why", async () => {
    await publish({ "new-checkout": {}, banner: { rules: [{ serve: "on" }] } });
    const on = await json(["flags:enable", "FEATURE_NEW_CHECKOUT", "tested"]);
    expect(on).toMatchObject({
      flag: "new-checkout",
      changed: true,
      from: { state: "off", words: "off" },
      to: { state: "on", words: "on" },
      versions: { flags: 2, kill: 0 },
      next: "seawall flags:show new-checkout",
    });
    expect(await served()).toMatchObject({ "new-checkout": true, banner: true });
    const off = await json(["flags:disable", "banner", "troubleshooting"]);
    expect(off).toMatchObject({
      from: { state: "on" },
      to: { state: "off", offBy: "flag" },
      next: "seawall flags:enable banner",
    });
    expect(await served()).toMatchObject({ "new-checkout": true, banner: false });
    const { records } = await operated.order<{ records: object[] }>("GET", "/audit");
    expect(records.slice(0, 2)).toMatchObject([
      { action: "replaceFlags", reason: "troubleshooting" },
      { action: "replaceFlags", reason: "tested" },
    ]);
    await json(["flags:enable", "banner"]);
    expect(await served()).toMatchObject({ banner: true });
  });

  test("CLI-06: what was killed by name is let go as well, and one flag cannot be on while all are off", async () => {
    await publish({ banner: { rules: [{ serve: "on" }] } });
    await operated.order("POST", "/kill", { flags: ["banner"], reason: "it fails" });
    const on = await json(["flags:enable", "banner"]);
    expect(on).toMatchObject({ from: { offBy: "kill" }, to: { state: "on" }, versions: { flags: 1, kill: 2 } });
    expect(await served()).toMatchObject({ banner: true });
    await operated.order("POST", "/kill", { reason: "it fails" });
    const { status, stderr } = await run(["flags:enable", "banner"], where);
    expect([status, stderr]).toStrictEqual([3, expect.stringContaining("First: seawall flags:killswitch --release")]);
  });

  test("CLI-08 and FLG-11: a share is raised step by step, and the next step is told", async () => {
    await publish({
      banner: {},
      ramp: {
        rules: [
          { if: [{ attr: "plan", eq: "pro" }], serve: "on" },
          { rollout: 5, serve: "on" },
        ],
      },
    });
    const steps = [];
    for (const percent of ["25", "50", "75", "100"]) {
      const { from, to, next } = await json(["flags:rollout", "banner", percent]);
      steps.push([from.percent, to.percent, next]);
    }
    expect(steps).toStrictEqual([
      [0, 25, "seawall flags:rollout banner 50"],
      [25, 50, "seawall flags:rollout banner 75"],
      [50, 75, "seawall flags:rollout banner 100"],
      [75, 100, "seawall monitor:health"],
    ]);
    expect(await served()).toMatchObject({ banner: true });
    expect(await json(["flags:rollout", "ramp", "40"])).toMatchObject({
      to: { words: "by 2 rules, 40 % of the last" },
    });
    const { value } = await operated.order<{ value: { flags: object } }>("GET", "/orders/flags");
    expect(value.flags).toMatchObject({
      banner: { rules: [{ rollout: 100, serve: "on" }] },
      ramp: { rules: [{ serve: "on" }, { rollout: 40 }] },
    });
  });

  test.each([["101"], ["-1"], ["25.5"], ["many"], ["1e1"], [""]])(
    "CLI-08: %j is no percentage, and nobody is asked",
    async (percentage) => {
      const { status, stdout, stderr } = await run(["flags:rollout", "banner", percentage], where);
      expect([status, stdout]).toStrictEqual([2, ""]);
      expect(stderr).toMatch(/whole number from 0 to 100|unknown option/);
      expect(operated.asked).toStrictEqual([]);
    },
  );

  test("on a terminal the old and the new state stand in one line, and the next command behind it", async () => {
    await publish({ banner: {} });
    const { status, stdout } = await onTerminal(["flags:rollout", "banner", "25"], { ...where, ...PLAIN });
    expect(stdout).toBe("banner: off → on for 25 %\nNext: seawall flags:rollout banner 50\n");
    expect(status).toBe(0);
    const again = await onTerminal(["flags:rollout", "banner", "25", "--quiet"], { ...where, ...PLAIN });
    expect(again.stdout).toBe("banner is on for 25 % already.\n");
  });

  test("a dry run tells what would be, and writes nothing", async () => {
    await publish({ banner: {} });
    operated.asked.length = 0;
    for (const args of [
      ["flags:enable", "banner"],
      ["flags:disable", "banner"],
      ["flags:rollout", "banner", "7"],
      ["flags:killswitch"],
    ])
      expect(await json([...args, "--dry-run"])).toMatchObject({ dryRun: true });
    expect(operated.asked.filter((request) => !request.startsWith("GET"))).toStrictEqual([]);
  });

  test("FLG-13: a flag that there is not is 2, with the one that was meant", async () => {
    await publish({ "new-checkout": {} });
    for (const [asked, meant] of [
      ["new-chekout", "new-checkout"],
      ["FEATURE_ENABLE_CIRCUT_BREAKER", "ENABLE_CIRCUIT_BREAKER"],
    ] as const) {
      const { status, stderr } = await run(["flags:disable", asked], where);
      expect([status, stderr]).toStrictEqual([2, expect.stringContaining(`Did you mean ${meant}?`)]);
    }
    expect((await run(["flags:show", "__proto__"], where)).status).toBe(2);
  });

  test("H070: who comes second is told so with 5, and nothing of the first is lost", async () => {
    await publish({ banner: {} });
    operated.once(/^PUT/, () => publish({ banner: { owner: "first" } }));
    const { status, stdout, stderr } = await run(["flags:enable", "banner"], where);
    expect([status, stdout, stderr]).toStrictEqual([5, "", expect.stringContaining("ORDER_CHANGED")]);
    const { value } = await operated.order<{ value: object }>("GET", "/orders/flags");
    expect(value).toMatchObject({ flags: { banner: { owner: "first" } } });
  });

  test("before anybody has published flags, a layer is turned off without taking the place of what was deployed", async () => {
    const off = await json(["flags:disable", "ENABLE_CIRCUIT_BREAKER"]);
    expect(off).toMatchObject({ versions: { flags: 0, kill: 1 }, to: { offBy: "kill" } });
    expect(await json(["flags:enable", "ENABLE_CIRCUIT_BREAKER", "--dry-run"])).toMatchObject({ to: { state: "off" } });
    const first = await run(["flags:rollout", "ENABLE_CONNECTION_POOL", "25"], where);
    expect([first.status, first.stderr]).toStrictEqual([2, expect.stringMatching(/deployed with the code.* --yes/)]);
    const no = await onTerminal(["flags:rollout", "ENABLE_CONNECTION_POOL", "25"], { ...where, ...PLAIN }, "\n");
    expect([no.status, no.stdout]).toStrictEqual([3, expect.stringContaining("[y/N]")]);
    expect(await json(["flags:rollout", "ENABLE_CONNECTION_POOL", "25", "--yes"])).toMatchObject({
      versions: { flags: 1 },
    });
  });
});

describe("flags:killswitch", () => {
  test("CLI-09 and EMG-01: a script turns every flag off without being asked, and is told how soon that holds", async () => {
    await publish({ banner: { rules: [{ serve: "on" }] } });
    expect(await served()).toMatchObject({ banner: true });
    const { status, stdout, stderr } = await run(["flags:killswitch", "production-emergency"], where);
    expect(JSON.parse(stdout)).toMatchObject({
      to: { all: true },
      version: 1,
      reason: "production-emergency",
      acceptedAfterMs: expect.any(Number),
      propagation: { ms: expect.any(Number), answers: expect.any(Number), stale: expect.any(Number) },
    });
    expect(stderr).toMatch(/^Accepted as version 1 after \d+ ms\.\nNext: seawall monitor:health/);
    expect(status).toBe(0);
    expect(await served()).toMatchObject({ banner: false });
    await json(["flags:killswitch", "--release", "mended"]);
    expect(await served()).toMatchObject({ banner: true });
  });

  test("CLI-09: on a terminal who turns off production names it, by hand or by --confirm; anything else changes nothing", async () => {
    const folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
    await mkdir(join(folder, "seawall"));
    const { SEAWALL_URL: url = "", SEAWALL_ADMIN_TOKEN = "" } = where;
    const profiles = { production: { url }, "eu-1": { url, environment: "production" }, staging: { url } };
    await writeFile(join(folder, "seawall/profiles.json"), JSON.stringify(profiles));
    const variables = { ...PLAIN, XDG_CONFIG_HOME: folder, SEAWALL_ADMIN_TOKEN };
    const kill = (profile: string, typed: string, ...more: string[]) =>
      onTerminal(["flags:killswitch", "it fails", "--env", profile, ...more], variables, typed);
    const writes = () => operated.asked.filter((request) => request.startsWith("POST")).length;
    for (const typed of ["", "\n", "yes\n", "Production\n"]) {
      const refused = await kill("production", typed, "--yes");
      expect(refused.stdout).toContain("Type production to go on:");
      expect([refused.status, writes()], JSON.stringify(typed)).toStrictEqual([3, 0]);
    }
    const interrupted = await kill("eu-1", "\u0003");
    expect([interrupted.status, writes()]).toStrictEqual([130, 0]);
    const wrong = await kill("staging", "", "--confirm=production");
    expect([wrong.status, wrong.stdout, writes()]).toStrictEqual([2, expect.stringContaining("that is staging"), 0]);
    for (const [profile, typed, ...more] of [
      ["production", "production\n"],
      ["eu-1", "", "--confirm=production"],
      ["staging", ""],
    ] as [string, string, ...string[]][]) {
      const before = writes();
      const done = await kill(profile, typed, ...more);
      expect(done.stdout).toMatch(/→ every flag is off\nIt holds: \d+ ms after it was accepted/);
      expect([done.status, writes()]).toStrictEqual([0, before + 1]);
    }
    await rm(folder, { recursive: true });
  });

  test("CLI-09: flags that are named are turned off alone", async () => {
    await publish({ banner: { rules: [{ serve: "on" }] }, other: { rules: [{ serve: "on" }] } });
    expect(await json(["flags:killswitch", "it fails", "--only", "banner"])).toMatchObject({
      to: { flags: ["banner"] },
    });
    expect(await served()).toMatchObject({ banner: false, other: true });
  });

  test("CLI-09: a name that nobody has published is turned off, because a bundle may have it, with the one that was meant", async () => {
    await publish({ "new-checkout": {} });
    const { status, stdout, stderr } = await run(
      ["flags:killswitch", "--only", "new-chekout", "FEATURE_NEW_CHECKOUT"],
      where,
    );
    expect([status, JSON.parse(stdout).to]).toStrictEqual([0, { flags: ["new-chekout", "new-checkout"] }]);
    expect(stderr).toMatch(/^warning: The published flags have no new-chekout\. Did you mean new-checkout\?/);
  });

  test("CLI-09: a store that does not say what was there before holds up no kill", async () => {
    const asked: string[] = [];
    const silent = await serve(({ method, url = "" }, response) => {
      asked.push(`${method} ${url}`);
      if (url === "/admin/api/orders/kill") return;
      response.setHeader("content-type", "application/json");
      const shown = { flags: { kill_version: 1 } };
      response.end(JSON.stringify(method === "POST" ? { version: 1, value: { all: true } } : shown));
    });
    const ended = await run(["flags:killswitch", "it fails"], { ...where, SEAWALL_URL: silent.url });
    expect([ended.status, JSON.parse(ended.stdout)]).toMatchObject([0, { from: null, to: { all: true } }]);
    expect(asked.slice(0, 2)).toStrictEqual(["GET /admin/api/orders/kill", "POST /admin/api/kill"]);
    await silent.stop();
  });

  test("a write whose answer is lost is sent again, and done once; lost twice, it is said that nobody knows", async () => {
    const lose = () => operated.once(/^POST .*\/kill$/, () => "lost");
    lose();
    expect(await json(["flags:killswitch", "it fails"])).toMatchObject({ version: 1 });
    operated.once(/^POST .*\/kill$/, () => {
      lose();
      return "lost";
    });
    const { status, stderr } = await run(["flags:killswitch", "it fails"], where);
    expect([status, stderr]).toStrictEqual([
      6,
      expect.stringMatching(/whether it was done is unknown.*\[ANSWER_LOST\]/),
    ]);
    expect((await operated.order<{ version: number }>("GET", "/orders/kill")).version).toBe(2);
  });

  test("CLI-09: what is accepted and not seen to hold ends with 1, and says that it is accepted", async () => {
    const blind = await serve(async ({ method, url }, response) => {
      response.setHeader("content-type", "application/json");
      const order = { version: 7, value: { all: true } };
      response.end(JSON.stringify(url === "/api/status" ? { flags: { kill_version: 6 } } : method && order));
    });
    const ended = await run(["flags:killswitch", "--timeout", "400"], { ...where, SEAWALL_URL: blind.url });
    expect(JSON.parse(ended.stdout)).toMatchObject({ version: 7, propagation: { ms: null } });
    expect([ended.status, ended.stderr]).toStrictEqual([1, expect.stringContaining("accepted as version 7, but")]);
    await blind.stop();
  });
});
