// Which of Seawall's layers an operation goes through, as flags say: for a share of the traffic, and always for the same one.
//
// A layer that everybody has, or nobody, is known once for each edition of the flags; then an operation costs one comparison.

import type { LayerSettings } from "./flags/variables.ts";
import type { Operation } from "./operation.ts";
import { BYPASS_BREAKER, HELD, NO_SECOND_LEG } from "./operation-bits.ts";

/** What layers need of flags: `createFlags(…)` of `seawall/flags` gives it. */
export interface LayerFlags {
  for(context: { readonly targetingKey?: string }): { boolean(key: string, fallback?: boolean): boolean };
  /** What a boolean flag is for everybody, `fallback` where there is none; undefined if that differs. */
  constant(key: string, fallback?: boolean): boolean | undefined;
  on(event: "change", listener: () => unknown): () => void;
  /** Takes what a client's settings say of layers: it holds where no document has their flags. */
  layerDefaults?(settings: LayerSettings): void;
}

/** Layers that are on for a share of the traffic: `ENABLE_CONNECTION_POOL` and its like are flags then. */
export interface LayersOptions {
  /** A function where flags live in the database of this client, and so are made after it. */
  readonly flags: LayerFlags | (() => LayerFlags);
  /**
   * Whom an operation is for where it does not say itself by `rolloutKey`: a tenant, a user. The same one always has the
   * same layers. Without it each operation is drawn by itself.
   */
  readonly key?: string | (() => string | undefined);
}

/** The flags of the layers, and whether a layer is on where nothing is said of it. */
const POOL = "ENABLE_CONNECTION_POOL";
const STATES = "ENABLE_STATE_MACHINE";
const BREAKER = "ENABLE_CIRCUIT_BREAKER";
const MONITORING = "ENABLE_ENTERPRISE_MONITORING";
const LOGGING = "ENABLE_DETAILED_LOGGING";

/** Twins of the bits of `Query::from_bits`. */
const NO_POOL = 1 << 16;
const RECORDED = 1 << 17;
const UNCOUNTED = 1 << 18;
/** What the core hears of. */
export const CORE_BITS = (1 << 19) - 1;
/** Nothing of it is logged. */
export const UNLOGGED = 1 << 19;
/** No layer stands in its way: it goes to the database as if nothing were there. */
export const PLAIN = 1 << 20;
/** Neither observed nor counted. */
export const UNWATCHED = UNCOUNTED;
/** No bits: layers differ between those who ask. */
const VARIES = -1;

/** Longest key; what is longer is cut, because no flag takes more. */
const KEY_MAX = 1_024;

/** The layers of one client. */
export class Layers {
  readonly #given: LayersOptions["flags"];
  #flags: LayerFlags | undefined;
  readonly #key: LayersOptions["key"];
  readonly #settings: LayerSettings | undefined;
  /** The bits of everybody's operations; -1 where they differ. A field, because every operation asks. */
  fixed = VARIES;

  /** @throws TypeError that names what cannot be used. */
  constructor({ flags, key }: LayersOptions, settings?: LayerSettings) {
    if (key !== undefined && typeof key !== "string" && typeof key !== "function") {
      throw new TypeError("invalid configuration: layers.key must be a text, or a function that gives one");
    }
    this.#given = flags;
    this.#key = key;
    this.#settings = settings;
    if (typeof flags !== "function") this.#take(flags);
  }

  /** The bits of an operation: which layers it goes without. */
  bitsOf(operation: Operation): number {
    if (this.fixed !== VARIES) return this.fixed;
    if (this.#flags === undefined) return this.#first(operation);
    return this.#bitsFor(this.#flags, operation.rolloutKey ?? this.#givenKey());
  }

  /** Takes flags that were made after the client. */
  #first(operation: Operation): number {
    if (typeof this.#given === "function") this.#take(this.#given());
    return this.bitsOf(operation);
  }

  #take(flags: LayerFlags): void {
    if (typeof flags?.for !== "function" || typeof flags.constant !== "function") {
      throw new TypeError("invalid configuration: layers.flags must be what createFlags of seawall/flags gives");
    }
    if (this.#settings !== undefined) {
      if (typeof flags.layerDefaults !== "function") {
        throw new TypeError("invalid configuration: features and rollouts are for layers.flags of seawall/flags");
      }
      flags.layerDefaults(this.#settings);
    }
    this.#flags = flags;
    flags.on("change", () => this.#settle(flags));
    this.#settle(flags);
  }

  #bitsFor(flags: LayerFlags, key: string | undefined): number {
    const who = flags.for({ targetingKey: key === undefined ? drawn() : key.slice(0, KEY_MAX) });
    return bitsOf((layer, fallback) => who.boolean(layer, fallback));
  }

  #givenKey(): string | undefined {
    const key = this.#key;
    if (typeof key !== "function") return key;
    try {
      const given: unknown = key();
      return typeof given === "string" && given !== "" ? given : undefined;
    } catch {
      // It is the application's own: an operation is not lost for it.
      return undefined;
    }
  }

  #settle(flags: LayerFlags): void {
    let varies = false;
    const bits = bitsOf((layer, fallback) => {
      const is = flags.constant(layer, fallback);
      varies ||= is === undefined;
      return is ?? fallback;
    });
    this.fixed = varies ? VARIES : bits;
  }
}

function bitsOf(is: (layer: string, fallback: boolean) => boolean): number {
  const hasPool = is(POOL, false);
  const hasStates = is(STATES, false);
  const hasBreaker = is(BREAKER, false);
  let bits = 0;
  if (!hasPool) bits |= NO_POOL;
  if (!hasStates) bits |= RECORDED;
  if (!hasBreaker) bits |= BYPASS_BREAKER;
  if (!is(MONITORING, true)) bits |= UNCOUNTED;
  if (!is(LOGGING, false)) bits |= UNLOGGED;
  // Without any of them nothing is repeated, bounded or sent twice either.
  if (!hasPool && !hasStates && !hasBreaker) bits |= PLAIN | HELD | NO_SECOND_LEG;
  return bits;
}

/** A key that nobody has twice. */
function drawn(): string {
  return Math.random().toString(36).slice(2);
}

/** What settings say of layers, where they say anything: `effective` describes a group of those in force. */
export function layerSettingsOf(
  effective: (group: string) => { readonly settings: Readonly<Record<string, { value: unknown; source: string }>> },
): LayerSettings | undefined {
  const groupOf = (group: "features" | "rollouts") => {
    const { settings } = effective(group);
    const said = Object.entries(settings).filter(([, { source }]) => source !== "default");
    return Object.fromEntries(said.map(([path, { value }]) => [path.slice(group.length + 1), value]));
  };
  const [features, rollouts] = [groupOf("features"), groupOf("rollouts")];
  if (Object.keys(features).length + Object.keys(rollouts).length === 0) return undefined;
  return { features: features as Record<string, boolean>, rollouts: rollouts as Record<string, number> };
}
