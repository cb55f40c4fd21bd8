// What every way to a Redis shares: which commands are sent, and how their answers read.

import { within } from "./checks.ts";
import type { Store } from "./store.ts";
import { type Change, checkChanges, type StrongStore } from "./strong.ts";

/** One way to send commands. Answers are as the protocol gives them: text or bytes, numbers, lists, null. */
export interface RedisConnection {
  get(key: string): Promise<unknown>;
  set(key: string, text: string, ttlMs: string): Promise<unknown>;
  /** Runs a script with one key. */
  eval(script: string, key: string, args: string[]): Promise<unknown>;
  /** One page of keys, or undefined where one server does not know all of them. */
  scan: ((cursor: string, pattern: string) => Promise<unknown>) | undefined;
}

/** ARGV: 0 when nothing is expected; what is expected; what is put; for how many milliseconds. */
const COMPARE_AND_SET = `
local stored = redis.call('GET', KEYS[1])
if ARGV[1] == '0' then
  if stored then return 0 end
elseif stored ~= ARGV[2] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
return 1`;

/** Keys that the server looks at for each page. */
export const SCAN_COUNT = "1000";
/** Pages that a list reads at most: a million keys or more, after which it fails. */
const PAGES_MAX = 1_000;

/** Sends whole commands: `["GET", key]`. `key` is the one that a cluster chooses the server by. */
export type SendCommand = (command: string[], key: string, isReadonly: boolean) => Promise<unknown>;

/** A connection over one that takes whole commands. */
export function commandsOver(send: SendCommand, canList: boolean): RedisConnection {
  return {
    get: (key) => send(["GET", key], key, true),
    set: (key, text, ttlMs) => send(["SET", key, text, "PX", ttlMs], key, false),
    eval: (script, key, args) => send(["EVAL", script, "1", key, ...args], key, false),
    scan: canList
      ? (cursor, pattern) => send(["SCAN", cursor, "MATCH", pattern, "COUNT", SCAN_COUNT], "", true)
      : undefined,
  };
}

/** A store over a connection. `timeout` in milliseconds limits each of its calls. */
export function redisCommandStore(
  name: string,
  connection: RedisConnection,
  timeout: number,
  keyPrefix: string = "",
): Store {
  const { scan } = connection;
  return {
    name,
    caps: { compareAndSet: true, writesPerSecond: undefined, ttl: "exact", list: scan !== undefined },
    get: (key) => within(timeout, name, connection.get(key).then(textOf)),
    async put(key, text, ttlSeconds) {
      await within(timeout, name, connection.set(key, text, msOf(ttlSeconds)));
    },
    async compareAndSet(key, expected, text, ttlSeconds) {
      const args = [expected === null ? "0" : "1", expected ?? "", text, msOf(ttlSeconds)];
      return Number(await within(timeout, name, connection.eval(COMPARE_AND_SET, key, args))) === 1;
    },
    ...(scan !== undefined && {
      async list(prefix: string) {
        const whole = `${keyPrefix}${prefix}`;
        const keys = await within(timeout, name, keysOf(scan, whole));
        return keys.map((key) => key.slice(keyPrefix.length)).sort();
      },
    }),
  };
}

// The strong store is one hash: its server knows all of it, also in a cluster, and a list need not walk the database.
// Scripts say what is there with "=" before it: one client reads texts as JSON, and what begins so is none.

/** ARGV: the field. */
const STRONG_READ = `
local stored = redis.call('HGET', KEYS[1], ARGV[1])
return stored and '=' .. stored`;

/** ARGV: for each change the field; 0 when nothing is expected; what is expected; 0 to take it away; what is put. */
const STRONG_SWAP = `
for at = 1, #ARGV, 5 do
  local stored = redis.call('HGET', KEYS[1], ARGV[at])
  if ARGV[at + 1] == '0' then
    if stored then return 0 end
  elseif stored ~= ARGV[at + 2] then
    return 0
  end
end
for at = 1, #ARGV, 5 do
  if ARGV[at + 3] == '0' then
    redis.call('HDEL', KEYS[1], ARGV[at])
  else
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 4])
  end
end
return 1`;

/** ARGV: what the fields begin with. */
const STRONG_LIST = `
local found = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, #ARGV[1]) == ARGV[1] then found[#found + 1] = '=' .. field end
end
return found`;

/** Where a strong store is, unless told otherwise. */
export const STRONG_KEY = "seawall/strong";

/** A strong store over a connection: one hash under `key`. `timeout` in milliseconds limits each of its calls. */
export function strongRedisCommandStore(
  name: string,
  connection: Pick<RedisConnection, "eval">,
  timeout: number,
  key: string = STRONG_KEY,
): StrongStore {
  const run = (script: string, ...args: string[]) => within(timeout, name, connection.eval(script, key, args));
  const given = (text: string | null) => (text === null ? ["0", ""] : ["1", text]);
  const args = ({ key: field, expected, text }: Change) => [field, ...given(expected), ...given(text)];
  return {
    name,
    read: async (field) => textOf(await run(STRONG_READ, field))?.slice(1) ?? null,
    async swap(changes) {
      checkChanges(changes);
      return Number(await run(STRONG_SWAP, ...changes.flatMap(args))) === 1;
    },
    async list(prefix) {
      const fields = (await run(STRONG_LIST, prefix)) as unknown[];
      return fields.map((field) => (textOf(field) ?? "=").slice(1)).sort();
    },
  };
}

async function keysOf(scan: NonNullable<RedisConnection["scan"]>, prefix: string): Promise<string[]> {
  const pattern = `${prefix.replace(/[\\*?[\]^-]/g, "\\$&")}*`;
  // A key may come twice.
  const keys = new Set<string>();
  let cursor = "0";
  for (let pages = 0; pages < PAGES_MAX; pages += 1) {
    const [next, found] = (await scan(cursor, pattern)) as [unknown, unknown[]];
    for (const key of found) keys.add(textOf(key) ?? "");
    cursor = textOf(next) ?? "0";
    if (cursor === "0") return [...keys];
  }
  throw new Error("this Redis holds too many keys to list; give the hints a database of their own");
}

function textOf(answer: unknown): string | null {
  if (answer === null || answer === undefined) return null;
  return answer instanceof Uint8Array ? new TextDecoder().decode(answer) : String(answer);
}

function msOf(ttlSeconds: number): string {
  return String(Math.max(1, Math.round(ttlSeconds * 1_000)));
}
