// Deno KV: the real one, in Deno.
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { denoKvStore } from "../../js/src/store/deno-kv.ts";
import type { StoreCaps } from "../../js/src/store/store.ts";
import { denoBinary } from "../support/deno.mjs";
import { storeAt } from "./over-http.ts";
import { storeSuite } from "./suite.ts";

const CAPS: StoreCaps = { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true };

let child: ChildProcess;
let url: string;

beforeAll(async () => {
  const allowed = ["--unstable-kv", "--allow-net=127.0.0.1", "--no-prompt", "--no-check", "--no-config"];
  child = spawn(denoBinary(), ["run", "--quiet", ...allowed, join(import.meta.dirname, "deno-server.ts")], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  process.once("exit", () => child.kill("SIGKILL"));
  let log = "";
  child.stderr?.on("data", (chunk) => {
    log += chunk;
  });
  const port = await new Promise((resolve, reject) => {
    child.stdout?.once("data", (chunk) => resolve(String(chunk).trim()));
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`deno ended:\n${log}`)));
  });
  url = `http://127.0.0.1:${port}`;
});
afterAll(() => child?.kill("SIGKILL"));

const harness = (name: string) => async () => {
  const [store, beside, broken] = await Promise.all(
    [name, "deno-kv", "deno-kv-gone"].map((store) => storeAt(url, store)),
  );
  return { store: store as never, beside: beside as never, broken: broken as never, stop: async () => {} };
};

storeSuite("Deno KV", CAPS, harness("deno-kv"));
storeSuite("Deno KV, read from the nearest", CAPS, harness("deno-kv-eventual"));

describe("Deno KV", () => {
  it("a value beyond its 64 KiB is refused, and the old one stays", async () => {
    const store = await storeAt(url, "deno-kv");
    await store.put("large", "small", 60);
    await expect(store.put("large", "x".repeat(70_000), 60)).rejects.toThrow(/too large|65536/i);
    expect(await store.get("large")).toBe("small");
  });

  it("what is no open KV is refused", () => {
    expect(() => denoKvStore(Promise.resolve() as never)).toThrow("what `await Deno.openKv()` gives");
  });
});
