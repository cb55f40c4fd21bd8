// What is told of a cluster: that an operation moved on, and who is ejected.

import type { Platform } from "../platform/platform.ts";

/** Names of a cluster's events. */
export type ClusterEventName = "failover" | "ejected" | "restored";

/** One thing that happened in a cluster. */
export interface ClusterEvent {
  type: ClusterEventName;
  /** Name of the database that it happened to. */
  endpoint: string;
  /** For `failover`: the database that was asked next. */
  to?: string;
  /** For `failover`: the code of the error that moved the operation on. */
  code?: string;
  /** When, in milliseconds since the epoch. */
  atMs: number;
}

/** Told after it has happened. What it returns is awaited by nobody; what it throws is ignored. */
export type ClusterListener = (event: ClusterEvent) => unknown;

const NAMES: readonly string[] = ["failover", "ejected", "restored"] satisfies ClusterEventName[];
const LISTENERS_MAX = 100;

/** Whether an event is a cluster's and not a circuit's. */
export function isClusterEvent(name: string): name is ClusterEventName {
  return NAMES.includes(name);
}

/** Who listens to one cluster. */
export class ClusterEvents {
  readonly #listeners = new Map<ClusterEventName, Set<ClusterListener>>();
  readonly #platform: Platform;

  constructor(platform: Platform) {
    this.#platform = platform;
  }

  /** @throws RangeError at the hundred-and-first listener of one event. */
  on(type: ClusterEventName, listener: ClusterListener): void {
    const known = this.#listeners.get(type) ?? new Set();
    if (known.size >= LISTENERS_MAX && !known.has(listener)) {
      throw new RangeError(
        `${LISTENERS_MAX} listeners of "${type}" are the most. Listen once, where the client is made`,
      );
    }
    this.#listeners.set(type, known.add(listener));
  }

  off(type: ClusterEventName, listener: ClusterListener): void {
    this.#listeners.get(type)?.delete(listener);
  }

  /** Each listener in a microtask of its own: it may ask the client that is in the middle of an operation. */
  tell(event: Omit<ClusterEvent, "atMs">): void {
    const listeners = this.#listeners.get(event.type);
    if (listeners === undefined || listeners.size === 0) return;
    const atMs = this.#platform.now();
    for (const listener of listeners) {
      const told = Promise.resolve()
        .then(() => listener({ ...event, atMs }))
        .then(
          () => {},
          () => {},
        );
      this.#platform.waitUntil(told);
    }
  }
}
