// How fast a kill reaches an isolate: said for the store that is configured, and not for the one that somebody has in mind.

/** What brings a kill to an isolate, beside its own `flags.kill`. */
export type PropagationBy = "deployment" | "monitor" | "look" | "roundTrip" | "cache";

/** How fast a kill that an operator ordered holds in this isolate. As text, it is its sentence. */
export interface Propagation {
  /** Where flags live: the name of the store, `monitor`, or `bundle` where there is none. */
  readonly store: string;
  readonly by: PropagationBy;
  /**
   * Milliseconds within which an isolate that is asked all the time holds it, if the store answers; `null` where nobody
   * promises any.
   */
  readonly withinMs: number | null;
  /** The same in words. */
  readonly sentence: string;
  toString(): string;
}

/** What a look may take, in milliseconds: with two looks a second, a Durable Object's readers have a kill within one. */
const LOOK_TAKES_MS = 500;

const HERE = "flags.kill() holds in its own isolate at once.";

export function fromBundle(): Propagation {
  return said("bundle", "deployment", null, "Flags are what was bundled: a kill needs a deployment.");
}

export function fromMonitor(): Propagation {
  const sentence =
    "Flags follow the monitor: a kill holds in the isolate that was asked for it at once, and elsewhere when the monitor has " +
    "looked, by default twice a second while it is asked anything.";
  return said("monitor", "monitor", null, sentence);
}

export function byLooks(store: string, intervalMs: number): Propagation {
  const withinMs = intervalMs + LOOK_TAKES_MS;
  const sentence =
    `Flags live in ${store}, and each isolate looks there every ${shown(intervalMs)} while it is asked for flags: a kill holds ` +
    `within ${shown(withinMs)} if a look takes no more than ${shown(LOOK_TAKES_MS)}.`;
  return said(store, "look", withinMs, sentence);
}

export function byRoundTrips(store: string, everyMs: number, intervalMs: number): Propagation {
  const often = everyMs === 0 ? "" : `, of which one in ${shown(everyMs)} asks`;
  const sentence =
    `Flags live in the database itself (${store}): a kill holds after an isolate's next round trip to it${often}; one that ` +
    `sends it nothing looks every ${shown(intervalMs)} while it is asked for flags. A replica tells what it has.`;
  return said(store, "roundTrip", everyMs, sentence);
}

export function byCache(store: string, intervalMs: number): Propagation {
  const lag = store === "workers-kv" ? "KV propagates in up to 60 s or more" : `${store} may be behind`;
  const sentence =
    `Flags are read from a cache (${store}), every ${shown(intervalMs)}: a kill holds when the cache has it, and nobody promises ` +
    `when that is (${lag}).`;
  return said(store, "cache", null, sentence);
}

function said(store: string, by: PropagationBy, withinMs: number | null, what: string): Propagation {
  const sentence = `${what} ${HERE}`;
  return Object.freeze({ store, by, withinMs, sentence, toString: () => sentence });
}

function shown(ms: number): string {
  return ms < 1_000 || ms % 100 !== 0 ? `${ms} ms` : `${ms / 1_000} s`;
}
