// Operators write orders through real monitors over real strong stores, and through the deployable Worker, until those are
// killed in the middle of a write: of each write all is there, or nothing.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startRedis } from "../support/redis.mjs";
import { startSqld } from "../support/sqld.mjs";
import { chance } from "./history.ts";
import { buildOperatorProcess, startOperatorProcesses } from "./operator-process.ts";
import { killRounds, type Place } from "./operators.ts";
import { startWorkerOfOperators } from "./workerd.ts";
import type { WriterProgram } from "./writer.ts";

const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";
const ROUNDS = Number(process.env.ROUNDS ?? 8);
const LIMIT_MS = 300_000;

let folder: string;
const stops: (() => unknown)[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "seawall-killed-"));
});
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Where they write, and how it is begun anew. */
async function processes(program: WriterProgram): Promise<() => Promise<Place>> {
  const path = await buildOperatorProcess(program, TOKEN, await mkdtemp(join(folder, "program-")));
  return async () => startOperatorProcesses(path);
}

const starts: [string, () => Promise<() => Promise<Place>>][] = [
  [
    "monitors over Redis",
    async () => {
      const server = await startRedis();
      stops.push(() => server.stop());
      return processes({
        imports: `import { Redis } from "ioredis"; import { strongRedisStore } from "../../js/src/store/redis.ts";`,
        store: `strongRedisStore(new Redis(${JSON.stringify(server.url)}), { timeout: 30_000 })`,
      });
    },
  ],
  [
    "monitors over a folder",
    async () =>
      processes({
        imports: 'import { strongFileStore } from "../../js/src/store/file.ts";',
        store: `strongFileStore(${JSON.stringify(join(folder, "texts"))}, { timeout: 30_000 })`,
      }),
  ],
  [
    "monitors over libSQL",
    async () => {
      const server = await startSqld();
      stops.push(() => server.stop());
      return processes({
        imports: `import { createClient } from "@libsql/client/http";
          import { strongLibsqlStore } from "../../js/src/store/libsql.ts";`,
        store: `strongLibsqlStore({ client: createClient({ url: ${JSON.stringify(server.url)} }), timeout: 30_000 })`,
      });
    },
  ],
  ["Workers with a Durable Object", async () => () => startWorkerOfOperators(join(folder, "object"), TOKEN)],
];

it("a store that makes the changes of a swap one after the other is found out", async () => {
  const start = await processes({
    imports: 'import { strongFileStore } from "../../js/src/store/file.ts";',
    store: `(() => {
      const whole = strongFileStore(${JSON.stringify(join(folder, "torn"))}, { timeout: 30_000 });
      const swap = async (changes) => {
        for (const change of changes) if (!(await whole.swap([change]))) return false;
        return true;
      };
      return { ...whole, swap };
    })()`,
  });
  await expect(killRounds({ start, token: TOKEN, rounds: ROUNDS, random: chance(7) })).rejects.toThrow();
}, 300_000);

it.each(starts)(
  "%s: whenever they are killed, each write is there with its record, or is not, and is done once",
  async (title, prepare) => {
    const seed = Number(process.env.SEED ?? Date.now() % 2 ** 32);
    const start = await prepare();
    const tally = await killRounds({ start, token: TOKEN, rounds: ROUNDS, random: chance(seed) }).catch(
      (error: Error) => {
        error.message = `SEED=${seed}: ${error.message}`;
        throw error;
      },
    );
    process.stderr.write(`${title}: ${JSON.stringify(tally)}\n`);
    // The kills hit writes on their way: before they were done, and after.
    expect(tally.undone).toBeGreaterThan(0);
    expect(tally.done).toBeGreaterThan(0);
    expect(tally.answered).toBeGreaterThan(tally.rounds);
  },
  LIMIT_MS,
);
