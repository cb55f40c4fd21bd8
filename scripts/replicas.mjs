// Shows who sees their own writes where replicas answer reads, and what a dead primary does to them.
// `npm run replicas [-- --pairs=1000]`. Fails if a read of ours was stale, or if the plain client's never were.
import {
  countStale,
  ourPair,
  ours,
  plainPair,
  prepareOwnWrites,
  quantile,
} from "../tests/support/read-your-writes.mjs";
import { startReplicas } from "../tests/support/replicas.mjs";

const pairs = Number(process.argv.find((arg) => arg.startsWith("--pairs="))?.slice("--pairs=".length) ?? 1_000);
if (!Number.isInteger(pairs) || pairs < 1 || pairs > 1_000_000) {
  console.error("--pairs must be a whole number from 1 to 1000000");
  process.exit(2);
}
/** How long a write through a replica may take whose primary is dead, in milliseconds. */
const WRITE_LIMIT_MS = 2_000;

let isWrong = false;
const servers = await startReplicas();
try {
  await prepareOwnWrites(servers);
  const { primary, replica } = servers;
  console.log(`${pairs} writes, each followed at once by a read on the replica; one primary, one replica, one run\n`);
  for (const [title, writeUrl] of /** @type {const} */ ([
    ["write to the primary", primary.url],
    ["write through the replica", replica.url],
  ])) {
    const subjects = [plainPair(writeUrl, replica.url), ourPair(writeUrl, replica.url)];
    const [plain, own] = await countStale(subjects, pairs);
    for (const [name, tally] of Object.entries({ "@libsql/client": plain, seawall: own })) {
      if (tally === undefined) throw new Error("nothing was counted");
      const stale = `${tally.stale} of ${tally.pairs} stale`.padEnd(22);
      const times = [0.5, 0.9, 0.99].map((share) => `p${share * 100} ${quantile(tally, share).toFixed(1)} ms`);
      console.log(`${title.padEnd(28)}${name.padEnd(18)}${stale}read ${times.join(", ")}`);
    }
    if (own?.stale !== 0 || plain?.stale === 0) isWrong = true;
  }
  await killPrimary();
} finally {
  await servers.stop();
}
if (isWrong) {
  console.error("\nNot as promised: see above.");
  process.exitCode = 1;
}

async function killPrimary() {
  const { primary, replica } = servers;
  const [client, first] = [ours(replica.url), ours(primary.url)];
  const count = "SELECT count(*) AS n FROM own_writes";
  await client.execute("INSERT INTO own_writes VALUES (2, 0)");
  await servers.caughtUp();
  // The machine is gone: nobody is left to refuse a connection, and its last write has not come across.
  replica.link.hold();
  await first.execute("INSERT INTO own_writes VALUES (3, 0)");
  const unseen = { sql: count, seawall: { consistencyToken: first.seawall.consistencyToken() } };
  await primary.kill();
  console.log("\nthe primary is killed, and its last write has not come to the replica");
  const limited = { timeout: WRITE_LIMIT_MS };
  const steps = [
    await timed("read of what the replica has", () => client.execute(count)),
    await timed("read of the last write", () => client.execute(unseen)),
    await timed("the same again", () => client.execute(unseen)),
    await timed("read in a batch", () => client.batch([count], "read")),
    await timed(`write, limit ${WRITE_LIMIT_MS} ms`, () =>
      client.execute({ sql: "INSERT INTO own_writes VALUES (4, 0)", seawall: limited }),
    ),
    await timed(`write in a transaction, the same`, async () => {
      const transaction = await client.transaction("write", limited);
      await transaction.execute("INSERT INTO own_writes VALUES (5, 0)");
    }),
    await timed("read of what the replica has", () => client.execute(count)),
  ];
  for (const { title, what, ms } of steps) console.log(`${title.padEnd(36)}${what}, ${ms} ms`);
  const ends = steps.map(({ what }) => what.split(",")[0]).join(" ");
  if (ends !== "answered stale stale answered DEADLINE_EXCEEDED DEADLINE_EXCEEDED answered") isWrong = true;
  if (steps.some(({ ms }) => ms > 2 * WRITE_LIMIT_MS)) isWrong = true;
  for (const one of [client, first]) one.close();
}

/** @param {string} title @param {() => Promise<unknown>} run */
async function timed(title, run) {
  const began = performance.now();
  let what = "answered";
  try {
    const result = /** @type {{ seawall?: { stale?: boolean } } | undefined} */ (await run());
    if (result?.seawall?.stale) what = "stale, and marked so";
  } catch (error) {
    const { code, outcome } = /** @type {{ code?: string, outcome?: string }} */ (error);
    what = `${code}${outcome === undefined ? "" : `, outcome ${outcome}`}`;
  }
  return { title, what, ms: Math.round(performance.now() - began) };
}
