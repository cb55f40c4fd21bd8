// A cache alone, with a time to live: one object for everybody, found by a key that costs nothing.
import { LRUCache } from "lru-cache";

export const variants = {
  hit: () => {
    const cache = new LRUCache({ max: 10_000, ttl: 300_000 });
    for (let id = 0; id < 1_000; id += 1) cache.set(id, { rows: [{ one: 1 }] });
    /** @param {number} id */
    const read = async (id) => cache.get(id);
    let id = 0;
    return async () => {
      id = (id + 1) % 1_000;
      return (await read(id))?.rows[0]?.one;
    };
  },
};
