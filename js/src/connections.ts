// What is behind the pool's connections, and who looks after it: beside the calls, in the background of one of them.

import { Look, Place } from "./core.ts";
import type { LiveCore } from "./live-core.ts";
import type { Connections } from "./operation.ts";
import type { Platform } from "./platform/platform.ts";
import type { CleanupTarget } from "./status.ts";

/** Kinds of work, as `nextPoolWork` in src/bindings packs them. */
const Work = { Retire: 0, SetUp: 1, AskAt: 2 } as const;
const WHICH = { idle: -1, all: -2 } as const;
/** Longer than any set-up with its repetitions: after this, the request that did the work is gone, in milliseconds. */
const ABANDONED_MS = 120_000;

/** Does what the core wants done for the connections of one pool. Decides nothing. */
export class Upkeep {
  readonly #connections: Connections | undefined;
  readonly #platform: Platform;
  readonly #live: LiveCore;
  /** When the work that runs in the background counts as abandoned; 0 while none runs. */
  #runsUntil = 0;
  /** That work, where one request may wait for what another began. */
  #running: Promise<void> | undefined;

  constructor(connections: Connections | undefined, platform: Platform, live: LiveCore) {
    this.#connections = connections;
    this.#platform = platform;
    this.#live = live;
  }

  /** Begins before anybody asks, where that is allowed. */
  start(): void {
    if (this.#platform.isPolling || this.#connections === undefined) return;
    if ((this.#live.get().look() & Look.Pool) !== 0) this.tend();
  }

  /** Does in the background what is to be done now. */
  tend(): void {
    if (this.#runsUntil > this.#platform.now()) return;
    const work = this.#work();
    if (!this.#platform.isPolling) this.#running = work;
    this.#platform.waitUntil(work);
  }

  /** Resolves when nothing is left to do, whoever began it. Never rejects. */
  async warm(): Promise<void> {
    await this.#running;
    await this.#work();
  }

  /** Closes what the pool gave up and sets up what it wants, until nothing is left to do. Never rejects. */
  async #work(): Promise<void> {
    this.#runsUntil = this.#platform.now() + ABANDONED_MS;
    const running = new Set<Promise<void>>();
    for (;;) {
      const handle = this.#live.get();
      const work = handle.nextPoolWork(this.#platform.now());
      if (work < 0) {
        if (running.size === 0) break;
        await Promise.all(running);
      } else if (work % 4 === Work.AskAt) {
        await Promise.all([...running, pause(handle.read(Place.AtMs) - this.#platform.now())]);
      } else if (work % 4 === Work.Retire) {
        this.#connections?.retire?.(Math.floor(work / 4));
      } else {
        const done = this.#setUp(Math.floor(work / 4), handle.read(Place.TimeoutMs)).finally(() =>
          running.delete(done),
        );
        running.add(done);
      }
    }
    this.#runsUntil = 0;
  }

  /** Whether a connection still works, as far as can be told within `timeoutMs`. */
  async check(connection: number, timeoutMs: number): Promise<boolean> {
    const check = this.#connections?.check;
    if (check === undefined) return true;
    return within(timeoutMs, (signal) => check.call(this.#connections, connection, signal)).catch(() => false);
  }

  /** Closes connections by hand; those in use when they are given back. Returns how many. */
  cleanUp(target: CleanupTarget): number {
    const which = typeof target === "number" ? target : WHICH[target];
    if (which === undefined || (typeof target === "number" && !(Number.isInteger(target) && target > 0))) {
      throw new RangeError(`cleanup takes "idle", "all" or a connection's id, got ${JSON.stringify(target)}`);
    }
    const count = this.#live.ask((core, now) => core.cleanUp(which, now));
    this.tend();
    return count;
  }

  async #setUp(connection: number, timeoutMs: number): Promise<void> {
    let isWell = true;
    try {
      await within(timeoutMs, async (signal) => this.#connections?.setUp(connection, signal));
    } catch {
      isWell = false;
    }
    this.#live.get().setUp(connection, isWell, this.#platform.now());
  }
}

/** Rejects when `work` takes longer; `work` is told by its signal. */
async function within<T>(timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error("it took too long"));
      controller.abort();
    }, timeoutMs);
  });
  try {
    return await Promise.race([work(controller.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

/** A pause that keeps no process alive. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(ms, 1));
    (timer as { unref?(): void }).unref?.();
  });
}
