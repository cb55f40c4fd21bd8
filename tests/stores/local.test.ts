// Stores that need no server: memory, and a folder that several processes share.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileStore, strongFileStore } from "../../js/src/store/file.ts";
import { memoryStore, strongMemoryStore } from "../../js/src/store/memory.ts";
import type { StoreCaps } from "../../js/src/store/store.ts";
import type { StrongStore } from "../../js/src/store/strong.ts";
import { chance, isSerial, randomHistory } from "./history.ts";
import { strongStoreSuite } from "./strong-suite.ts";
import { rejection, storeSuite } from "./suite.ts";

const CAPS: StoreCaps = { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: true };
const TIMEOUT = 30_000;

storeSuite("memory", CAPS, async () => {
  const store = memoryStore();
  return { store, beside: store, stop: async () => {} };
});

strongStoreSuite("memory, strong", async () => {
  const store = strongMemoryStore();
  return { store, beside: store, stop: async () => {} };
});

it("a store that makes the changes of a swap one after the other is found out by its histories", async () => {
  const whole = strongMemoryStore();
  const torn: StrongStore = {
    ...whole,
    async swap(changes) {
      for (const change of changes) {
        if (!(await whole.swap([change]))) return false;
        await new Promise((resolve) => setImmediate(resolve));
      }
      return true;
    },
  };
  const random = chance(7);
  let found = 0;
  for (let round = 0; round < 20; round += 1) {
    const names = ["a", "b", "c", "d"].map((name) => `${round}/${name}`);
    if (!isSerial(await randomHistory([torn], names, random))) found += 1;
  }
  expect(found).toBeGreaterThan(5);
});

describe("memory", () => {
  it("keeps a thousand keys; the one that was put longest ago makes room", async () => {
    const store = memoryStore();
    await store.put("first", "text", 60);
    await store.put("second", "text", 60);
    for (let key = 0; key < 998; key += 1) await store.put(`key ${key}`, "text", 60);
    await store.put("first", "again", 60);
    expect(await store.get("second")).toBe("text");
    await store.put("one more", "text", 60);
    expect(await store.get("second")).toBeNull();
    expect(await store.get("first")).toBe("again");
  });
});

describe("file", () => {
  let folder: string;
  let number = 0;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "seawall-files-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const fresh = () => {
    number += 1;
    return join(folder, String(number));
  };

  storeSuite("in one process", CAPS, async () => {
    const [hints, occupied] = [join(fresh(), "made", "when needed"), join(folder, "a file")];
    await writeFile(occupied, "in the way");
    const [store, beside] = [fileStore(hints, { timeout: TIMEOUT }), fileStore(hints, { timeout: TIMEOUT })];
    return { store, beside, broken: fileStore(occupied), stop: async () => {} };
  });

  strongStoreSuite("strong", async () => {
    const [texts, occupied] = [join(fresh(), "made", "when needed"), join(folder, "another file")];
    await writeFile(occupied, "in the way");
    const open = () => strongFileStore(texts, { timeout: TIMEOUT });
    return {
      store: open(),
      beside: open(),
      broken: strongFileStore(occupied),
      // Who waits for the folder's lock for too long, on a busy disk, is told so and has written nothing.
      refusesCrowds: true,
      program: {
        imports: 'import { strongFileStore } from "../../js/src/store/file.ts";',
        store: `strongFileStore(${JSON.stringify(texts)}, { timeout: ${TIMEOUT} })`,
      },
      stop: async () => {},
    };
  });

  it("processes that increment at once lose nothing, and leave nothing behind", async () => {
    const hints = fresh();
    const outfile = join(folder, "increment.mjs");
    await build({
      stdin: {
        contents: `
          import { fileStore } from "./file.ts";
          const store = fileStore(${JSON.stringify(hints)}, { timeout: ${TIMEOUT} });
          for (let done = 0; done < 25; ) {
            const text = await store.get("count");
            if (await store.compareAndSet("count", text, String(Number(text ?? 0) + 1), 600)) done += 1;
          }`,
        resolveDir: join(import.meta.dirname, "../../js/src/store"),
      },
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      logLevel: "error",
    });
    const run = promisify(execFile);
    await Promise.all(Array.from({ length: 4 }, () => run(process.execPath, [outfile])));
    expect(await fileStore(hints).get("count")).toBe("100");
    expect(await readdir(hints)).toHaveLength(1);
  });

  it("a lock that was left behind is taken away, and a fresh one is waited for", async () => {
    const hints = fresh();
    const store = fileStore(hints, { timeout: 300 });
    await store.put("key", "text", 60);
    const [file] = await readdir(hints);
    const lock = join(hints, `${file}.lock`);
    await writeFile(lock, "of another process");
    expect((await rejection(() => store.put("key", "new", 60))).message).toContain("its lock within 300 ms");
    expect(await store.get("key")).toBe("text");
    const longAgo = Date.now() / 1_000 - 11;
    await utimes(lock, longAgo, longAgo);
    await store.put("key", "new", 60);
    expect(await store.get("key")).toBe("new");
    expect(await readdir(hints)).toEqual([file]);
  });

  it("files that are no hints are overlooked", async () => {
    const hints = fresh();
    const store = fileStore(hints);
    await store.put("key", "text", 60);
    const [file = ""] = await readdir(hints);
    for (const text of ["", "{", "null", '{"key":7}', '{"key":"other","text":"x","untilMs":9e15}']) {
      await writeFile(join(hints, file), text);
      expect(await store.get("key")).toBeNull();
    }
    await mkdir(join(hints, "folder"));
    await writeFile(join(hints, "notes.txt"), "text");
    await store.put("key", "text", 60);
    expect(await store.list?.("")).toEqual(["key"]);
  });

  it.each([undefined, "", 7, new URL("file:///hints")])("a folder that is no path is refused: %s", (wrong) => {
    expect(() => fileStore(wrong as never)).toThrow("fileStore needs the path of a folder; it got");
  });
});
