// Shells that complete the command line, and what its help says.
import { spawn } from "node:child_process";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { CLI, endOf, environment, run, serve, shell, startOperated } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

let operated: Awaited<ReturnType<typeof startOperated>>;
let folder: string;
let where: Record<string, string>;
beforeAll(async () => {
  operated = await startOperated();
  const value = { version: 1, flags: { "new-checkout": {}, "new-search": {} } };
  await operated.order("PUT", "/orders/flags", { value, reason: "a test" });
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
  await symlink(CLI, join(folder, "seawall"));
  where = { ...operated.where, PATH: `${folder}:${process.env.PATH}` };
});
afterAll(async () => {
  await operated?.stop();
  await rm(folder, { recursive: true, force: true });
});

/** Words that are told for a line, the last of which is being typed. */
async function candidates(...words: string[]): Promise<string[]> {
  const { status, stdout, stderr } = await run(["__complete", "--", ...words], where);
  expect([status, stderr]).toStrictEqual([0, ""]);
  return stdout.split("\n").flatMap((line) => (line === "" ? [] : [line.split("\t")[0] ?? ""]));
}

describe("what could stand next", () => {
  test.each([
    [["config:u"], ["config:update"]],
    [
      ["config", ""],
      ["show", "validate", "update", "export"],
    ],
    [["monitor:metrics", "re"], ["reliability"]],
    [["monitor", "metrics", "re"], ["reliability"]],
    [["config:show", "circ"], ["circuitBreaker"]],
    [["config", "update", "connectionPool", "maxC"], ["maxConnections"]],
    [["config:update", "connectionPool", "strategy", "a"], ["adaptive"]],
    [
      ["config:update", "connectionPool", "enabled", ""],
      ["true", "false"],
    ],
    [
      ["flags:enable", "new-"],
      ["new-checkout", "new-search"],
    ],
    [["flags", "rollout", "new-checkout", "7"], ["75"]],
    [["flags:killswitch", "why", "--only", "new-checkout", "new-s"], ["new-search"]],
    [["flags:killswitch", "--confirm", "prod"], ["production"]],
    [["--timeout", "5000", "monitor:h"], ["monitor:health"]],
    [["monitor:health", "--wa"], ["--watch"]],
    [["monitor:health", "--tok"], ["--token-file"]],
    [["monitor:health", "--url", ""], []],
    [["completion", "z"], ["zsh"]],
    [["nothing:like", ""], []],
    [["__c"], []],
  ])("behind %j it is %j", async (words, expected) => {
    expect(await candidates(...words)).toStrictEqual(expected);
  });

  test("whoever does not answer costs who types a second, and no word", async () => {
    const silent = await serve(() => {});
    const { status, stdout, stderr } = await run(["__complete", "--", "flags:show", "ENABLE_C"], {
      ...where,
      SEAWALL_URL: silent.url,
    });
    expect([status, stderr]).toStrictEqual([0, ""]);
    expect(stdout).toBe("ENABLE_CONNECTION_POOL\t\nENABLE_CIRCUIT_BREAKER\t\n");
    await silent.stop();
  });
});

describe("bash", () => {
  test("a command with a colon is completed once, not twice, and so is one with a space", async () => {
    const reply = async (line: string) => {
      const script = `eval "$(seawall completion bash)"; eval "$(seawall completion bash)"
        COMP_LINE='${line}' COMP_POINT=${line.length}; _seawall; printf '%s|' "\${COMPREPLY[@]}"`;
      return (await shell(script, where)).stdout;
    };
    expect(await reply("seawall config:sh")).toBe("show|");
    expect(await reply("seawall config sh")).toBe("show|");
    expect(await reply("seawall conf")).toBe("config:show|config:validate|config:update|config:export|");
    expect(await reply("seawall flags:disable ")).toMatch(/^new-checkout\|new-search\|ENABLE_/);
    expect(await reply("seawall flags:disable $(touch no)")).toBe("|");
  });

  test("who types config:sh and Tab on a terminal gets config:show", async () => {
    const child = spawn("script", ["-qec", "bash --norc --noprofile -i", "/dev/null"], {
      env: environment({ ...where, PS1: "ready ", NO_COLOR: "1", INPUTRC: "/dev/null" }),
    });
    const ended = endOf(child);
    let text = "";
    child.stdout?.on("data", (chunk) => {
      text += chunk;
    });
    const said = (like: RegExp) => expect.poll(() => text, { timeout: 20_000 }).toMatch(like);
    await said(/ready $/);
    child.stdin?.write('eval "$(seawall completion bash)"; echo lo""aded\n');
    await said(/loaded/);
    child.stdin?.write("seawall config:sh\t");
    await said(/seawall config:show /);
    child.stdin?.write("circ\t");
    await said(/config:show circuitBreaker /);
    child.stdin?.write("--loc\t");
    await said(/circuitBreaker --local /);
    child.stdin?.write("\n");
    await said(/circuitBreaker\s+failureThreshold\s+\d+/);
    child.stdin?.write("exit\n");
    expect((await ended).status).toBe(0);
    expect(text).not.toContain("config:config:");
  });

  test("a shell that there is no script for is 2, with the one that was meant", async () => {
    const { status, stdout, stderr } = await run(["completion", "bsh"]);
    expect([status, stdout, stderr]).toStrictEqual([2, "", expect.stringContaining("Did you mean bash?")]);
  });
});

describe("texts that change are seen", () => {
  test.each(["bash", "zsh", "fish"])("the script for %s", async (name) => {
    await expect((await run(["completion", name])).stdout).toMatchFileSnapshot(`snapshots/completion.${name}`);
  });

  test("the help of each command, which is the same in both spellings", async () => {
    const all = await run(["--help"]);
    const names = [...all.stdout.matchAll(/^ {2}([a-z]+:[a-z-]+|completion)\b/gm)].map(([, name = ""]) => name);
    expect(names).toContain("flags:killswitch");
    for (const name of names.filter((name) => name.includes(":"))) {
      const [spaced, joined] = await Promise.all([run([...name.split(":"), "--help"]), run([name, "--help"])]);
      expect(spaced, name).toStrictEqual(joined);
    }
    const texts = await Promise.all(
      names.map(async (name) => `$ seawall ${name} --help\n${(await run([name, "--help"])).stdout}`),
    );
    await expect([`$ seawall --help\n${all.stdout}`, ...texts].join("\n")).toMatchFileSnapshot("snapshots/help.txt");
  });
});
