// Looks for newer orders, and keeps what holds. No timer runs: whoever asks for flags has a look begun when one is due, by the wall
// clock, because that of a frozen function stands still otherwise. Nobody waits for it, unless asked to.

import type { Platform } from "../platform/platform.ts";
import { within } from "../store/checks.ts";
import type { FlagOrder, Found, Held, NewerOrder } from "./orders.ts";
import type { Source } from "./sources.ts";

/** What keeps a request alive until work behind it has ended: `ctx` of a Worker. */
export interface Background {
  waitUntil(work: Promise<unknown>): void;
}

/** What an isolate knows of where its flags live. */
export interface FlagsFollowing {
  /** The store's name. */
  readonly store: string;
  /** The versions of the orders that were taken, 0 before the first. */
  readonly versions: Held;
  /** When a look was begun last, in milliseconds since the epoch; 0 before the first. */
  readonly lookedAtMs: number;
  /** When what is held was last known to be all that there is, in milliseconds since the epoch; 0 if it never was. */
  readonly confirmedAtMs: number;
  /** What stands in the way since then; null if nothing does. */
  readonly problem: string | null;
}

/** Who takes what was found. */
export interface FollowerHost {
  /** Takes an order. @throws What makes it unusable: what held before holds on. */
  take(name: FlagOrder, order: NewerOrder): void;
  /** What is held was all that there is, at `atMs`. */
  confirmed(atMs: number): void;
  /** An order was found that cannot be taken, or something that is none. */
  refused(error: unknown): void;
  /** Nobody can tell whether what is held is current, and before one could. */
  stale(error: unknown, confirmedAtMs: number): void;
  /** One can again. */
  fresh(): void;
}

const OFF_FIRST = ["kill", "flags"] as const;
/** A look that takes longer counts as failed, in milliseconds. */
const LOOK_MS = 5_000;
/** Where a request must not be resumed by another, it asks again so often whether another's look has ended, in milliseconds. */
const ASK_AGAIN_MS = 10;

/** Follows one source. */
export class Follower {
  readonly #source: Source;
  readonly #host: FollowerHost;
  readonly #platform: Platform;
  readonly #held: Record<FlagOrder, number> = { flags: 0, kill: 0 };
  /** Versions that were refused: nothing is current that they would replace. */
  readonly #refused = new Set<FlagOrder>();
  readonly #stop: (() => void) | undefined;
  #lookedAt = 0;
  /** Since when no look was due; undefined until somebody asks: where others tell of orders, the first look waits for them. */
  #waitsSince: number | undefined;
  #confirmedAt = 0;
  /** When somebody asked who found it current: later than it is confirmed for where what is read may be old. */
  #verifiedAt = 0;
  #problem: string | null = null;
  #isStale = false;
  #toldProblem: string | undefined;
  /** The look in flight, and until when it counts as one: who began it may be gone. */
  #running: Promise<void> | undefined;
  #runsUntil = 0;
  #looks = 0;

  constructor(source: Source, host: FollowerHost, platform: Platform) {
    this.#source = source;
    this.#host = host;
    this.#platform = platform;
    if (source.looksFirst) this.#waitsSince = 0;
    const now = () => platform.now();
    const found = (what: Found, askedAtMs: number) => {
      this.#take(what, askedAtMs);
      // Whatever told of it is a request, which what is begun here belongs to.
      if (what.hasMore === true && !this.#isRunning(now())) this.#platform.waitUntil(this.#begin());
    };
    this.#stop = source.listen?.(() => this.#held, now, found);
  }

  /** Says what the bundle holds already: nothing older is taken. */
  begin(held: Partial<Held>): void {
    Object.assign(this.#held, held);
  }

  get following(): FlagsFollowing {
    return {
      store: this.#source.name,
      versions: { ...this.#held },
      lookedAtMs: this.#lookedAt,
      confirmedAtMs: this.#confirmedAt,
      problem: this.#problem,
    };
  }

  /** Begins a look if one is due and none is out. */
  due(background?: Background): void {
    const now = this.#platform.now();
    this.#waitsSince ??= now;
    if (!this.#isPast(this.#waitsSince, now) || this.#isRunning(now)) return;
    const work = this.#begin();
    if (background === undefined) this.#platform.waitUntil(work);
    else background.waitUntil(work);
  }

  /** Waits until what is held is known to be current as of the last interval; at most `timeoutMs`. Returns whether it is. */
  async ready(timeoutMs: number): Promise<boolean> {
    const until = this.#platform.now() + timeoutMs;
    for (;;) {
      const now = this.#platform.now();
      if (this.#verifiedAt > 0 && !this.#isPast(this.#verifiedAt, now)) return true;
      if (now >= until) return false;
      if (!this.#isRunning(now)) {
        await settled(this.#begin(), until - now);
        return this.#verifiedAt >= now;
      }
      // What another request has begun may end with it.
      if (this.#platform.isPolling) await settled(undefined, Math.min(until - now, ASK_AGAIN_MS));
      else await settled(this.#running, until - now);
    }
  }

  /** Looks now. @throws What stood in the way: what held before holds on. */
  async refresh(): Promise<FlagsFollowing> {
    let failure: unknown;
    await this.#begin((error) => {
      failure = error;
    });
    if (failure !== undefined) throw failure;
    return this.following;
  }

  close(): void {
    this.#stop?.();
  }

  #isPast(at: number, now: number): boolean {
    return now < at || now - at >= this.#source.intervalMs;
  }

  #isRunning(now: number): boolean {
    return now < this.#runsUntil;
  }

  /** Never rejects. */
  #begin(failed: (error: unknown) => void = () => {}): Promise<void> {
    const began = this.#platform.now();
    this.#lookedAt = began;
    this.#waitsSince = began;
    this.#runsUntil = began + LOOK_MS;
    this.#looks += 1;
    const own = this.#looks;
    // The store may be a client whose layers are flags: what it asks meanwhile begins no other look.
    const work = this.#look(began, failed).finally(() => {
      if (this.#looks === own) this.#runsUntil = 0;
    });
    this.#running = work;
    return work;
  }

  async #look(began: number, failed: (error: unknown) => void): Promise<void> {
    try {
      const found = await within(
        LOOK_MS,
        this.#source.name,
        this.#source.look(() => this.#held, began),
      );
      const error = this.#take(found, began);
      if (error !== undefined) failed(error);
    } catch (error) {
      this.#stale(error);
      failed(error);
    }
  }

  /** Takes what was found. Returns why it is not all that there is. */
  #take(found: Found, askedAtMs: number): unknown {
    let failure: unknown;
    // What is off first: nothing of a newer document is to be seen before.
    for (const name of OFF_FIRST) {
      const order = found.newer[name];
      if (order === undefined || order.version <= this.#held[name]) continue;
      this.#held[name] = order.version;
      try {
        this.#host.take(name, order);
        this.#refused.delete(name);
      } catch (error) {
        this.#refused.add(name);
        failure = error;
        this.#host.refused(error);
      }
    }
    if (found.problem !== undefined) {
      failure ??= new Error(found.problem);
      if (this.#toldProblem !== found.problem) this.#host.refused(new Error(found.problem));
    }
    this.#toldProblem = found.problem;
    if (failure === undefined && this.#refused.size > 0) failure = new Error("the newest order was refused");
    if (failure !== undefined) this.#stale(failure);
    else if (found.isCurrent) this.#confirm(askedAtMs);
    return failure;
  }

  #confirm(askedAtMs: number): void {
    this.#problem = null;
    this.#verifiedAt = Math.max(this.#verifiedAt, askedAtMs);
    const at = askedAtMs - this.#source.lagMs;
    // What was asked first may be answered last.
    if (at > this.#confirmedAt) {
      this.#confirmedAt = at;
      this.#host.confirmed(at);
    }
    // What came along with something else stands for a look.
    this.#waitsSince = Math.max(this.#waitsSince ?? 0, askedAtMs);
    if (!this.#isStale) return;
    this.#isStale = false;
    this.#host.fresh();
  }

  #stale(error: unknown): void {
    this.#problem = error instanceof Error ? error.message : String(error);
    if (this.#isStale) return;
    this.#isStale = true;
    this.#host.stale(error, this.#confirmedAt);
  }
}

/** Resolves when `work` has ended, which never rejects, or after `ms`. */
function settled(work: Promise<void> | undefined, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, Math.max(1, Math.ceil(ms)));
    work?.then(() => {
      clearTimeout(timer);
      resolve();
    });
  });
}
