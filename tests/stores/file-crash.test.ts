// The strong store in a folder, whose writer dies right before each of its changes to the disk.
import { execFile } from "node:child_process";
import { cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { strongFileStore } from "../../js/src/store/file.ts";
import type { Change } from "../../js/src/store/strong.ts";
import { rejection } from "./suite.ts";

const TIMEOUT = 30_000;
const BEFORE = ["1", "2", null];
const AFTER = ["1!", null, "3"];
const KEYS = ["a", "b", "c"];
const CHANGES = KEYS.map((key, index): Change => {
  return { key, expected: BEFORE[index] as string | null, text: AFTER[index] as string | null };
});

let folder: string;
let program: string;

/** Stands for `node:fs/promises`, and kills the process right before its change number `argv[2]`, from 0. */
const mortal: Plugin = {
  name: "mortal",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:fs\/promises$/ }, ({ path, namespace }) =>
      namespace === "mortal" ? { path, external: true } : { path, namespace: "mortal" },
    );
    onLoad({ filter: /.*/, namespace: "mortal" }, () => ({
      contents: `
        import * as real from "node:fs/promises";
        export { readFile, readdir, stat } from "node:fs/promises";
        let left = Number(process.argv[2]);
        const counted = (work) => (...args) => {
          if (left === 0) {
            process.kill(process.pid, "SIGKILL");
            for (;;);
          }
          left -= 1;
          return work(...args);
        };
        export const [link, mkdir, rename, rm, writeFile] =
          [real.link, real.mkdir, real.rename, real.rm, real.writeFile].map(counted);
        const opened = counted(real.open);
        export const open = async (...args) => {
          const file = await opened(...args);
          const [write, sync, close] = [file.writeFile, file.sync, file.close].map((work) => counted(work.bind(file)));
          return { writeFile: write, sync, close };
        };`,
    }));
  },
};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seawall-crash-"));
  program = join(folder, "swap.mjs");
  await build({
    stdin: {
      contents: `
        import { strongFileStore } from "./strong-file.ts";
        const [texts, changes] = process.argv.slice(3);
        if (!(await strongFileStore(texts, { timeout: ${TIMEOUT} }).swap(JSON.parse(changes)))) process.exit(1);`,
      resolveDir: join(import.meta.dirname, "../../js/src/store"),
    },
    outfile: program,
    bundle: true,
    format: "esm",
    platform: "node",
    plugins: [mortal],
    logLevel: "error",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Swaps in a process that dies before its change number `steps`; gives whether it came to its end. */
function swapFor(steps: number, texts: string, changes: Change[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, String(steps), texts, JSON.stringify(changes)], (error) => {
      if (error !== null && error.signal !== "SIGKILL") reject(error);
      else resolve(error === null);
    });
  });
}

const read = (texts: string, keys = KEYS) => Promise.all(keys.map((key) => strongFileStore(texts).read(key)));

/** What is there is read, listed and replaced, and neither lock nor journal is left. */
async function expectSound(texts: string, keys: string[]): Promise<void> {
  const found = await read(texts, keys);
  const store = strongFileStore(texts, { timeout: TIMEOUT });
  expect(await store.list("")).toEqual(keys.filter((_, index) => found[index] !== null));
  expect(await read(texts, keys)).toEqual(found);
  const changes = keys.map((key, index) => ({ key, expected: found[index] ?? null, text: `${key} anew` }));
  expect(await store.swap(changes)).toBe(true);
  expect(await read(texts, keys)).toEqual(keys.map((key) => `${key} anew`));
  // A process that dies while it takes a dead one's lock away leaves a file that nobody minds.
  const files = (await readdir(texts)).filter((name) => !name.startsWith("lock.") && !name.endsWith(".tmp"));
  expect(files.filter((name) => !name.endsWith(".strong"))).toEqual([]);
  expect(files).toHaveLength(keys.length);
}

it("a writer that dies before any change to the disk leaves all of a swap or nothing; so does who finishes it and dies", async () => {
  const start = join(folder, "start");
  expect(
    await strongFileStore(start).swap(
      CHANGES.slice(0, 2).map(({ key, expected: text }) => ({ key, expected: null, text })),
    ),
  ).toBe(true);
  const outcomes: string[] = [];
  const copyOf = async (from: string, name: string) => {
    const texts = join(folder, name);
    await cp(from, texts, { recursive: true });
    return texts;
  };
  for (let steps = 0, isEnded = false; !isEnded; steps += 1) {
    const texts = await copyOf(start, `dead at ${steps}`);
    isEnded = await swapFor(steps, texts, CHANGES);
    const found = await read(texts);
    expect([BEFORE, AFTER], `it died at ${steps}`).toContainEqual(found);
    outcomes.push(found[0] === "1" ? "before" : "after");
    await expectSound(await copyOf(texts, `dead at ${steps}, used`), KEYS);
  }
  // There is one moment at which it is done, with steps on both sides of it.
  const done = outcomes.indexOf("after");
  expect(outcomes.slice(0, done)).not.toContain("after");
  expect(outcomes.slice(done)).not.toContain("before");
  expect(done).toBeGreaterThan(5);
  expect(outcomes.length - done).toBeGreaterThan(10);
  // Whoever comes next finishes it first, and may die while he does.
  const next: Change[] = [{ key: "d", expected: null, text: "4" }];
  let finished = 0;
  for (let isEnded = false; !isEnded; finished += 1) {
    const texts = await copyOf(join(folder, `dead at ${done}`), `dead at ${done} and ${finished}`);
    isEnded = await swapFor(finished, texts, next);
    expect(await read(texts)).toEqual(AFTER);
    expect(["4", null]).toContain(await strongFileStore(texts).read("d"));
    await expectSound(texts, [...KEYS, "d"]);
  }
  expect(finished).toBeGreaterThan(15);
}, 180_000);

it("a journal that is damaged is an error that names it, and stays as it is", async () => {
  const texts = join(folder, "damaged");
  const store = strongFileStore(texts);
  expect(await store.swap([{ key: "a", expected: null, text: "1" }])).toBe(true);
  for (const damage of ["", "{", "null", "[7]", '[{"key":"a"}]', '{"key":"a","text":"x"}']) {
    await writeFile(join(texts, "journal"), damage);
    for (const work of [
      () => store.read("a"),
      () => store.list(""),
      () => store.swap([{ key: "a", expected: "1", text: "2" }]),
    ]) {
      expect((await rejection(work)).message).toMatch(/damaged file, which it leaves as it is: .*journal$/);
    }
  }
  await rm(join(texts, "journal"));
  expect(await store.read("a")).toBe("1");
});
