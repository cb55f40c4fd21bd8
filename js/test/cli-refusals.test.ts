// What the command line does when it cannot do what it should: whoever asks wrongly, and whoever answers wrongly.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { freePort } from "../../tests/support/sqld.mjs";
import { endOf, onTerminal, run, serve, start, TOKEN } from "./command-line.ts";

/** Each look starts a process or several. */
vi.setConfig({ testTimeout: 60_000 });

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const SECRET = "secret-in-the-wrong-place";

describe("whoever asks wrongly is told what to do, with 2", () => {
  const url = "http://127.0.0.1:1";
  test.each([
    ["no command", [], {}, /monitor:health, monitor:metrics, monitor:connections/],
    ["a command that there is not", ["monitor:helth"], {}, /Did you mean monitor:health\?/],
    ["another one", ["monitr"], {}, /Did you mean monitor\?/],
    ["a group alone", ["monitor"], {}, /Which command of monitor\?/],
    ["a word of a group", ["monitor", "conections"], {}, /Did you mean monitor:connections\?/],
    ["a flag that there is not", ["monitor:health", "--detaild"], {}, /Did you mean --detailed\?/],
    ["a flag of all commands", ["monitor:health", "--jsn"], {}, /Did you mean --json\?/],
    ["too many words", ["monitor:metrics", "cache", "fleet"], {}, /too many arguments/],
    ["no address", ["monitor:health"], {}, /--url .* SEAWALL_URL/],
    ["no address at all", ["monitor:health", "--url", SECRET], {}, /https:\/\/app\.example\.com/],
    ["a file", ["monitor:health", "--url", "file:///etc/passwd"], {}, /https:\/\/app\.example\.com/],
    ["a password in the address", ["monitor:health", "--url", `https://me:${SECRET}@a.example`], {}, /--token-file/],
    ["a query in the address", ["monitor:health", "--url", `https://a.example?token=${SECRET}`], {}, /--token-file/],
    [
      "a token in the clear",
      ["monitor:health"],
      { SEAWALL_URL: "http://a.example", SEAWALL_ADMIN_TOKEN: SECRET },
      /https only/,
    ],
    [
      "a token with a line feed",
      ["monitor:health"],
      { SEAWALL_URL: url, SEAWALL_ADMIN_TOKEN: `${SECRET}\nx: y` },
      /visible ASCII/,
    ],
    ["a token file that is not there", ["monitor:health", "--url", url, "--token-file", "/nonexistent"], {}, /ENOENT/],
    ["no time", ["monitor:health", "--url", url, "--timeout", "0"], {}, /1 to 86400000 milliseconds/],
    ["a time with a unit", ["monitor:health", "--url", url, "--timeout=5s"], {}, /1 to 86400000 milliseconds/],
    ["no profiles", ["monitor:health", "--profile", "production"], {}, /profiles.json cannot be read: ENOENT/],
    ["two profiles", ["monitor:health", "--profile", "a", "--env", "b"], {}, /another name of --profile/],
  ] as [string, string[], Record<string, string>, RegExp][])("%s", async (_, args, variables, expected) => {
    const { status, stdout, stderr } = await run(args, variables);
    expect(stderr).toMatch(expected);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stdout).toBe("");
    expect(stderr).not.toContain(SECRET);
    expect(status).toBe(2);
  });

  test("H007: names of objects' own are no commands, categories or profiles", async () => {
    for (const name of ["__proto__", "constructor", "toString"]) {
      expect((await run([name])).status).toBe(2);
      expect((await run(["monitor", name])).status).toBe(2);
      expect((await run(["monitor:metrics", name, "--url", url])).status).toBe(2);
      await mkdir(join(folder, "seawall"), { recursive: true });
      await writeFile(join(folder, "seawall/profiles.json"), JSON.stringify({ production: { url } }));
      expect((await run(["monitor:health", "--profile", name], { XDG_CONFIG_HOME: folder })).status).toBe(2);
    }
    const meant = await run(["monitor:health", "--profile", "producton"], { XDG_CONFIG_HOME: folder });
    expect(meant.stderr).toMatch(/there are production\. Did you mean production\?/);
  });
});

describe("whoever is asked", () => {
  test("nobody there is 6, by the address of a profile, and shows no secret", async () => {
    const url = `http://127.0.0.1:${await freePort()}`;
    await mkdir(join(folder, "seawall"), { recursive: true });
    await writeFile(join(folder, "seawall/profiles.json"), JSON.stringify({ staging: { url } }));
    const variables = { XDG_CONFIG_HOME: folder, SEAWALL_ADMIN_TOKEN: TOKEN };
    for (const command of ["monitor:health", "monitor:metrics", "monitor:connections"]) {
      const { status, stdout, stderr } = await run([command, "--env", "staging", "--debug"], variables);
      expect(stderr).toContain(`${url}/api: nobody answers (ECONNREFUSED)`);
      expect(stdout).toBe("");
      expect(stderr).not.toContain(TOKEN);
      expect(status).toBe(6);
    }
  });

  test.each([
    ["a page of HTML", 200, "text/html", "<html>hello</html>", 6, /is not Seawall's/],
    ["HTML that says it is JSON", 200, "application/json", "<html>", 6, /no document of Seawall's/],
    ["an error of somebody else's", 502, "text/plain", "bad gateway", 6, /status 502/],
    ["a redirect", 302, "text/plain", "", 6, /redirects/],
    [
      "a problem of the settings",
      503,
      "application/problem+json",
      '{"code":"CONFIGURATION_INVALID","detail":"Set X."}',
      1,
      /Set X\./,
    ],
    [
      "a role that is not enough",
      403,
      "application/problem+json",
      '{"code":"FORBIDDEN","detail":"Yours is viewer."}',
      4,
      /Yours is viewer/,
    ],
    [
      "a path that is not there",
      404,
      "application/problem+json",
      '{"code":"NOT_FOUND","detail":"No such route."}',
      6,
      /No such route/,
    ],
  ] as [string, number, string, string, number, RegExp][])(
    "%s is no answer",
    async (_, status, type, body, exit, expected) => {
      const seen: (string | undefined)[] = [];
      const elsewhere = await serve((request, response) => {
        seen.push(request.headers.authorization);
        response.end();
      });
      const server = await serve((_, response) => {
        response.writeHead(status, { "content-type": type, location: elsewhere.url });
        response.end(body);
      });
      const ended = await run(["monitor:health", "--url", server.url], { SEAWALL_ADMIN_TOKEN: TOKEN });
      expect(ended.stderr).toMatch(expected);
      expect(ended.stdout).toBe("");
      expect(ended.status).toBe(exit);
      expect(seen).toStrictEqual([]);
      await Promise.all([server.stop(), elsewhere.stop()]);
    },
  );

  test("who never answers is given up with 124", async () => {
    const server = await serve(() => {});
    const { status, stderr } = await run(["monitor:health", "--url", server.url, "--timeout", "50"]);
    expect(stderr).toContain("There was no answer within 50 ms.");
    expect(status).toBe(124);
    await server.stop();
  });

  test("whoever does not wait for an answer ends it with 130", async () => {
    let asked = () => {};
    const wasAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = await serve(() => asked());
    const child = start(["monitor:metrics", "--url", server.url]);
    const ended = endOf(child);
    await wasAsked;
    child.kill("SIGINT");
    expect((await ended).status).toBe(130);
    await server.stop();
  });

  test("H050: texts of others do nothing on a terminal", async () => {
    const name = "\u001b]0;owned\u0007\u001b[2J\u202eevil\u009b31m<img src=x onerror=alert(1)>\n{{7*7}}";
    const overview = {
      scope: "isolate",
      timestamp: "t",
      databases: {
        [name]: {
          config: { type: name, min_connections: 0, max_connections: 1 },
          pool_stats: { active_connections: 0, pool_utilization: 0, success_rate: 1 },
          state: name,
          health_score: 1,
          circuit_breaker: { state: name, failures: 0 },
        },
      },
    };
    const alerts = [{ name, severity: name, message: `${name}${"x".repeat(10_000)}` }];
    const server = await serve(({ url }, response) => {
      response.setHeader("content-type", "application/json");
      const document = { "/api/status": overview, "/api/health": { alerts } }[url ?? ""];
      response.end(JSON.stringify(document ?? { score: 1, timestamp: name, databases: {} }));
    });
    for (const args of [["monitor:connections"], ["monitor:health"], ["monitor:health", "--json"]]) {
      const { stdout } = await onTerminal([...args, "--url", server.url], { NO_COLOR: "1" });
      expect(stdout).toContain("<img src=x onerror=alert(1)>");
      // biome-ignore lint/suspicious/noControlCharactersInRegex: those must not be there
      expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/);
    }
    await server.stop();
  });
});

describe("help and versions", () => {
  test.each([[["--help"]], [["monitor:health", "--help"]], [["monitor", "metrics", "-h"]]])(
    "%j begins with examples and shows what there is",
    async (args) => {
      const { status, stdout, stderr } = await run(args);
      expect(stdout).toMatch(/^Examples:\n {2}.*seawall monitor:/);
      for (const flag of ["--url <address>", "--token-file <file>", "--timeout <ms>", "--json", "124 timeout"])
        expect(stdout).toContain(flag);
      expect([status, stderr]).toStrictEqual([0, ""]);
    },
  );

  test("versions name the package, its core, Node, and whom it would ask", async () => {
    const { status, stdout } = await run(["--version", "--url", "https://app.example.com/internal/"]);
    expect(JSON.parse(stdout)).toStrictEqual({
      seawall: expect.stringMatching(/^\d+\.\d+\.\d+/),
      core: expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      node: process.versions.node,
      endpoint: "https://app.example.com/internal",
    });
    expect(status).toBe(0);
  });
});
