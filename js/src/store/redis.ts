// Redis over TCP, through the client that the application already has: `ioredis`, or `redis` (node-redis 4 and later).

import { hasMethods, kindOf, timeoutOf } from "./checks.ts";
import { commandsOver, redisCommandStore, type SendCommand, strongRedisCommandStore } from "./redis-commands.ts";
import type { Store } from "./store.ts";
import type { StrongStore } from "./strong.ts";

/** The part of a client of `ioredis` that is used: of `new Redis()` or `new Cluster()`. */
export interface IoRedisClient {
  call(command: string, ...args: string[]): Promise<unknown>;
  readonly isCluster?: boolean;
}

/** The part of a client of `redis` that is used: of `createClient()`. */
export interface NodeRedisClient {
  sendCommand(command: string[]): Promise<unknown>;
}

/** The part of a cluster of `redis` that is used: of `createCluster()`. */
export interface NodeRedisCluster {
  sendCommand(key: string, isReadonly: boolean, command: string[]): Promise<unknown>;
  readonly masters: unknown;
}

/** Any client that {@link redisStore} takes. */
export type RedisClient = IoRedisClient | NodeRedisClient | NodeRedisCluster;

/**
 * Makes a store of a Redis client. The client stays the application's: connecting, errors and closing are its own.
 *
 * @param options.timeout Milliseconds that a call may take; 2000 by default. A client without a connection would wait
 * for one.
 * @throws TypeError when `client` is neither of the two.
 */
export function redisStore(client: RedisClient, options: { timeout?: number } = {}): Store {
  const timeout = timeoutOf(options.timeout, "redisStore");
  const { send, canList, keyPrefix } = wayThrough(client);
  return redisCommandStore("redis", commandsOver(send, canList), timeout, keyPrefix);
}

/**
 * Makes a strong store of a Redis client: one hash under one key, which never expires. It is as strong as the server: one
 * that evicts keys, or forgets writes when it restarts or fails over, is none.
 *
 * @param options.timeout Milliseconds that a call may take; 2000 by default.
 * @param options.key Where the hash is; `seawall/strong` by default.
 * @throws TypeError when `client` is neither of the two.
 */
export function strongRedisStore(client: RedisClient, options: { timeout?: number; key?: string } = {}): StrongStore {
  const timeout = timeoutOf(options.timeout, "strongRedisStore");
  const { send, canList } = wayThrough(client);
  return strongRedisCommandStore("redis", commandsOver(send, canList), timeout, options.key);
}

function wayThrough(client: RedisClient): { send: SendCommand; canList: boolean; keyPrefix: string } {
  if (hasMethods(client, ["call"])) {
    const ioredis = client as IoRedisClient & { options?: { keyPrefix?: string } };
    return {
      send: async (command) => ioredis.call(...(command as [string, ...string[]])),
      canList: ioredis.isCluster !== true,
      // The client puts it before keys, but neither before patterns nor back off what it finds.
      keyPrefix: ioredis.options?.keyPrefix ?? "",
    };
  }
  if (hasMethods(client, ["sendCommand"])) {
    if ("masters" in client) {
      return {
        send: async (command, key, isReadonly) => client.sendCommand(key, isReadonly, command),
        canList: false,
        keyPrefix: "",
      };
    }
    const single = client as NodeRedisClient;
    return { send: async (command) => single.sendCommand(command), canList: true, keyPrefix: "" };
  }
  throw new TypeError(
    `redisStore needs a client of "ioredis" (new Redis(...)) or of "redis" (createClient(...)); it got ${kindOf(client)}. For a REST address and a token there is upstashStore.`,
  );
}
