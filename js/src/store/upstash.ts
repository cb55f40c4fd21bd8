// Redis over HTTP as Upstash speaks it: one POST for each command. It needs nothing but `fetch`.

import { hasMethods, timeoutOf } from "./checks.ts";
import {
  commandsOver,
  type RedisConnection,
  redisCommandStore,
  SCAN_COUNT,
  strongRedisCommandStore,
} from "./redis-commands.ts";
import type { Store } from "./store.ts";
import type { StrongStore } from "./strong.ts";

/** Where the database is, and what lets in. */
export interface UpstashAddress {
  /** `UPSTASH_REDIS_REST_URL`, which begins with `https://`. */
  url: string;
  /** `UPSTASH_REDIS_REST_TOKEN`. It never appears in an error. */
  token: string;
  fetch?: typeof fetch;
}

/** The part of a client of `@upstash/redis` that is used. */
export interface UpstashRedis {
  set(key: string, text: string, options: { px: number }): Promise<unknown>;
  eval(script: string, keys: string[], args: string[]): Promise<unknown>;
  scan(cursor: string, options: { match: string; count: number }): Promise<unknown>;
}

/** How much of what a server says is repeated in an error. */
const MESSAGE_MAX = 200;
/** That client reads texts as JSON; what begins with this is none. */
const GET_AS_TEXT = `
local stored = redis.call('GET', KEYS[1])
return stored and '=' .. stored`;

/**
 * Makes a store of a database at Upstash, or of anything else that speaks its protocol.
 *
 * @param source Address and token, or a client of `@upstash/redis`.
 * @param options.timeout Milliseconds that a call may take; 2000 by default.
 * @throws TypeError that says which option is wrong, and never holds the token.
 */
export function upstashStore(source: UpstashAddress | UpstashRedis, options: { timeout?: number } = {}): Store {
  const timeout = timeoutOf(options.timeout, "upstashStore");
  return redisCommandStore("upstash", connectionOf(source, timeout), timeout);
}

/**
 * Makes a strong store of such a database: one hash under one key, which never expires. Eviction must be off.
 *
 * @param source Address and token, or a client of `@upstash/redis`.
 * @param options.timeout Milliseconds that a call may take; 2000 by default.
 * @param options.key Where the hash is; `seawall/strong` by default.
 * @throws TypeError that says which option is wrong, and never holds the token.
 */
export function strongUpstashStore(
  source: UpstashAddress | UpstashRedis,
  options: { timeout?: number; key?: string } = {},
): StrongStore {
  const timeout = timeoutOf(options.timeout, "strongUpstashStore");
  return strongRedisCommandStore("upstash", connectionOf(source, timeout), timeout, options.key);
}

function connectionOf(source: UpstashAddress | UpstashRedis, timeout: number): RedisConnection {
  return hasMethods(source, ["set", "eval", "scan"])
    ? throughClient(source as UpstashRedis)
    : throughFetch(source as UpstashAddress, timeout);
}

function throughClient(client: UpstashRedis): RedisConnection {
  return {
    async get(key) {
      const found = await client.eval(GET_AS_TEXT, [key], []);
      return typeof found === "string" ? found.slice(1) : null;
    },
    set: (key, text, ttlMs) => client.set(key, text, { px: Number(ttlMs) }),
    eval: (script, key, args) => client.eval(script, [key], args),
    scan: (cursor, pattern) => client.scan(cursor, { match: pattern, count: Number(SCAN_COUNT) }),
  };
}

function throughFetch(address: UpstashAddress, timeout: number): RedisConnection {
  const { url, authorization } = checked(address);
  const ask = address.fetch ?? fetch;
  const send = async (command: string[]): Promise<unknown> => {
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(), timeout);
    try {
      const response = await ask(url, {
        method: "POST",
        headers: { authorization, "content-type": "application/json" },
        body: JSON.stringify(command),
        signal: controller.signal,
      });
      return resultOf(response.status, await response.text());
    } catch (error) {
      if (controller.signal.aborted) throw new Error(`the upstash store did not answer within ${timeout} ms`);
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
  return commandsOver(send, true);
}

function resultOf(status: number, text: string): unknown {
  let answer: { result?: unknown; error?: unknown } | undefined;
  try {
    answer = JSON.parse(text);
  } catch {}
  if (status === 401 || status === 403) {
    throw new Error(`upstash refused the token (HTTP ${status}): compare it with UPSTASH_REDIS_REST_TOKEN`);
  }
  if (typeof answer?.error === "string") {
    throw new Error(`upstash answered HTTP ${status}: ${answer.error.slice(0, MESSAGE_MAX)}`);
  }
  if (status !== 200 || answer === undefined || answer === null || !("result" in answer)) {
    throw new Error(`upstash answered HTTP ${status} and no result: is the address that of a REST API?`);
  }
  return answer.result;
}

function checked(address: UpstashAddress): { url: string; authorization: string } {
  const wrong = (problem: string) =>
    new TypeError(`upstashStore needs { url, token } or a client of "@upstash/redis": ${problem}`);
  if (typeof address !== "object" || address === null) throw wrong("it got neither.");
  const { url, token } = address;
  if (typeof url !== "string" || url === "") throw wrong("url is missing; it is UPSTASH_REDIS_REST_URL.");
  if (typeof token !== "string" || token === "") throw wrong("token is missing; it is UPSTASH_REDIS_REST_TOKEN.");
  // An exception about a header would hold the header.
  if (!/^[\x21-\x7e]+$/.test(token)) throw wrong("token holds a space, a line break or a letter beyond ASCII.");
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw wrong("url is no URL; it is UPSTASH_REDIS_REST_URL and begins with https://.");
  }
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") {
    throw wrong(
      `url begins with ${parsed.protocol}// and not with https://. For the TCP protocol there is redisStore, which takes a client.`,
    );
  }
  if (parsed.username !== "" || parsed.password !== "" || parsed.search !== "") {
    throw wrong("url carries credentials or a query; the token belongs into token.");
  }
  return { url: parsed.href, authorization: `Bearer ${token}` };
}
