// What the command line takes along for a deployment, of a real monitor.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createFlags } from "seawall/flags";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { run, startOperated } from "./command-line.ts";

/** Each run starts a process. */
vi.setConfig({ testTimeout: 60_000 });

let operated: Awaited<ReturnType<typeof startOperated>>;
let folder: string;
let where: Record<string, string>;

beforeAll(async () => {
  operated = await startOperated();
  ({ where } = operated);
  folder = await mkdtemp(join(tmpdir(), "seawall-cli-"));
});
afterAll(async () => {
  await operated?.stop();
  await rm(folder, { recursive: true, force: true });
});

describe("flags:snapshot", () => {
  test("before anybody has published flags, and without a file, it says what is missing", async () => {
    const nothing = await run(["flags:snapshot"], where);
    expect([nothing.status, nothing.stderr]).toStrictEqual([2, expect.stringContaining("--out flags.json")]);
    const early = await run(["flags:snapshot", "--out", join(folder, "flags.json")], where);
    expect([early.status, early.stderr]).toStrictEqual([3, expect.stringContaining("Nobody has published flags")]);
  });

  test("what holds is written as a bundle, with what was killed, or as a snapshot alone", async () => {
    const rules = [{ serve: "on" }];
    await operated.order("PUT", "/orders/flags", { value: { version: 1, flags: {} }, reason: "a test" });
    await operated.order("PUT", "/orders/flags", {
      value: { version: 1, revision: 42, flags: { banner: { rules }, limit: { rules } } },
      reason: "a test",
    });
    await operated.order("POST", "/kill", { flags: ["limit"], reason: "a test" });
    const [json, bytes] = [join(folder, "flags.json"), join(folder, "flags.bin")];
    const told = await run(["flags", "snapshot", "--out", json], where);
    expect([told.status, told.stderr]).toStrictEqual([0, ""]);
    expect(JSON.parse(told.stdout)).toMatchObject({ file: json, versions: { flags: 2, kill: 1 }, killed: ["limit"] });
    const all = (definitions: never) => {
      const flags = createFlags({ definitions, env: {} });
      return [flags.revision, { ...flags.for({}).all() }];
    };
    const bundle = JSON.parse(await readFile(json, "utf8"));
    expect(bundle.versions).toStrictEqual({ flags: 2, kill: 1 });
    expect(all(bundle as never)).toStrictEqual([42, { banner: true, limit: false }]);
    expect((await run(["flags:snapshot", "--out", bytes], where)).status).toBe(0);
    expect(all(new Uint8Array(await readFile(bytes)) as never)).toStrictEqual([42, { banner: true, limit: true }]);
    const lost = await run(["flags:snapshot", "--out", join(folder, "no/such/folder.json")], where);
    expect([lost.status, lost.stderr]).toStrictEqual([3, expect.stringContaining("ENOENT")]);
  });
});
