// How many reads of a Zipf workload are served from memory: counted, not timed, and the same in every run.
import { LRUCache } from "lru-cache";
import { createClient } from "seawall";
import { zipf } from "../../tests/support/zipf.mjs";
import { answer } from "../guards/seawall.mjs";

/** @import { Plan } from "../run.mjs" */
/** @import { Row } from "../report.mjs" */

const KEYS = 10_000;
const S = 1.1;
/** Reads that only fill the cache, and reads that count. Nothing is written, and nothing grows old. */
const READS = { first: 20_000, counted: 100_000 };
const SIZES = [1_000, 2_500, 5_000];
const SQL = "SELECT one FROM t WHERE id = ?";

/** @param {Plan} plan @returns {Promise<Row[]>} */
export async function measureHitRates(plan) {
  /** @type {Row[]} */
  const rows = [];
  for (const size of SIZES) {
    const id = `cache.zipf.${size}`;
    if (!plan.wants(id)) continue;
    plan.say(`cache: Zipf, ${size} entries`);
    const title = `Zipf: ${KEYS} keys, s = ${S}, ${size} entries`;
    const [ours, peer] = [await hitRateOfOurs(size), hitRateOfLru(size)];
    rows.push({ id, title, unit: "%", better: "more", ours, peer, peerName: "lru-cache", cpu: null });
  }
  return rows;
}

/** @param {number} size */
async function hitRateOfOurs(size) {
  const db = createClient({
    url: "http://db.example",
    fetch: answer,
    seawall: { queryCache: { enabled: true, maxSize: size } },
  });
  const draw = zipf(KEYS, S);
  for (let i = 0; i < READS.first; i += 1) await db.execute(SQL, [draw()]);
  const before = db.seawall.cache.stats().hits;
  for (let i = 0; i < READS.counted; i += 1) await db.execute(SQL, [draw()]);
  return ((db.seawall.cache.stats().hits - before) / READS.counted) * 100;
}

/** @param {number} size */
function hitRateOfLru(size) {
  const cache = new LRUCache({ max: size });
  const draw = zipf(KEYS, S);
  let hits = 0;
  for (let i = 0; i < READS.first + READS.counted; i += 1) {
    const key = draw();
    if (cache.get(key) === undefined) cache.set(key, key);
    else if (i >= READS.first) hits += 1;
  }
  return (hits / READS.counted) * 100;
}
