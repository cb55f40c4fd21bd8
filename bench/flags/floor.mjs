// No engine: what the workload alone takes on this machine, written for it by hand in plain JavaScript. It looks a key up, hashes an
// ASCII id and compares. It knows no other condition, kill, variable, error, reason, count or change, and checks nothing.
import { seawallDocument } from "./workload.mjs";

/** @typedef {{ state: number, rest: number, length: number }} Prefix */
/** @typedef {{ enrol: Prefix, share: number, countries: Set<string> | undefined, plans: Set<string>, age: number }} Flag */

const VARIANT_SEED = 86_028_157;

/** @param {number} block */
const scrambled = (block) => {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
};

/** `MurmurHash3` after a text. @param {string} text @param {number} seed @returns {Prefix} */
function prefix(text, seed) {
  let state = seed;
  let rest = 0;
  for (let at = 0; at < text.length; at += 1) {
    rest |= text.charCodeAt(at) << (8 * (at & 3));
    if ((at & 3) === 3) {
      state ^= scrambled(rest);
      state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
      rest = 0;
    }
  }
  return { state, rest, length: text.length };
}

/** @param {Prefix} prefix @param {string} id */
function hash(prefix, id) {
  let { state, rest, length } = prefix;
  for (let at = 0; at < id.length; at += 1) {
    rest |= id.charCodeAt(at) << (8 * (length & 3));
    length += 1;
    if ((length & 3) === 0) {
      state ^= scrambled(rest);
      state = (Math.imul((state << 13) | (state >>> 19), 5) + 0xe6546b64) | 0;
      rest = 0;
    }
  }
  state ^= scrambled(rest) ^ length;
  state = Math.imul(state ^ (state >>> 16), 0x85ebca6b);
  state = Math.imul(state ^ (state >>> 13), 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}

/** @type {import("./engines.mjs").Kind} */
export const floor = {
  stored: () => JSON.stringify(seawallDocument()),
  loader: async () => (/** @type {string} */ stored) => {
    const { flags } = /** @type {{ flags: Record<string, any> }} */ (JSON.parse(stored));
    /** @type {Map<string, Flag>} */
    const known = new Map();
    for (const [key, { rules: [rule] = [{}] }] of Object.entries(flags)) {
      const [country, plan, age] = rule.if ?? [];
      const seed = rule.if === undefined ? 0 : VARIANT_SEED;
      const share = rule.if === undefined ? (rule.rollout ?? 100) : 50;
      const countries = country && new Set(country.in);
      known.set(key, {
        enrol: prefix(`${key}:`, seed),
        share,
        countries,
        plans: new Set(plan?.in),
        age: age?.gte ?? 0,
      });
    }
    /** @param {import("./engines.mjs").User} user @param {string} key */
    const isOn = (user, key) => {
      const flag = known.get(key);
      if (flag === undefined) return false;
      return flag.share === 100 || hash(flag.enrol, user.targetingKey) % 100 < flag.share;
    };
    /** @param {import("./engines.mjs").User} user @param {string} key */
    const variant = (user, key) => {
      const flag = known.get(key);
      if (flag?.countries === undefined) return "";
      const isMet = flag.countries.has(user.country) && flag.plans.has(user.plan) && user.age >= flag.age;
      return isMet ? (hash(flag.enrol, user.targetingKey) % 100 < flag.share ? "a" : "b") : "";
    };
    const all = (/** @type {import("./engines.mjs").User} */ user) => {
      /** @type {Record<string, boolean | string>} */
      const found = Object.create(null);
      for (const [key, flag] of known) found[key] = flag.countries === undefined ? isOn(user, key) : variant(user, key);
      return found;
    };
    return { scope: (user) => user, isOn, variant, all };
  },
};
