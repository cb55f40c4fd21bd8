// Who was exposed to which variant, and what became of it: joined here, counted here, handed to the application's analytics.

import type { EvaluationContext, FlagMetadata, Hook } from "@openfeature/server-sdk";
import type { FlagDetails } from "../flags/index.ts";
import type { Attributes } from "./attributes.ts";
import { attributesOf, ContextError } from "./attributes.ts";

/** Somebody got a variant. */
export interface Exposure {
  readonly flag: string;
  readonly variant: string;
  /** The id by which people are told apart: the targeting key, where `subject` does not say. */
  readonly subject: string;
  /** When, in milliseconds since 1970. */
  readonly atMs: number;
  readonly revision?: number;
  readonly rule?: string | number;
  /** Those that `attributes` names, and no others. */
  readonly attributes: Readonly<Attributes>;
}

/** Somebody did what was tracked. */
export interface Conversion {
  /** The name that `client.track` was given. */
  readonly event: string;
  /** Not there if nobody knows who it was. */
  readonly subject?: string;
  readonly value?: number;
  readonly atMs: number;
  /** What `client.track` was given beside `value`, as it is. */
  readonly details: Readonly<Record<string, unknown>>;
  /** What the subject was exposed to before, as far as it is remembered. */
  readonly exposures: readonly Exposure[];
  readonly attributes: Readonly<Attributes>;
}

export interface ExposuresOptions {
  /** Told once of each subject, flag and variant, again when it has been forgotten. What it throws is counted, and dropped. */
  readonly onExposure?: (exposure: Exposure) => unknown;
  /** Told of each event that is tracked. */
  readonly onTrack?: (conversion: Conversion) => unknown;
  /** What is an exposure: what a hash has decided (`split`, the default), or each variant that is served. */
  readonly of?: "split" | "all";
  /** Who it is, where that is not the targeting key; nothing for nobody. */
  readonly subject?: (context: Readonly<EvaluationContext>) => string | undefined;
  /** Names of attributes that are told. Default: none. A context may hold what analytics must not have. */
  readonly attributes?: readonly string[];
  /** Subjects that are remembered. Default 10,000; those asked about longest ago are forgotten first. */
  readonly subjectsMax?: number;
}

/** What was counted since the beginning. */
export interface ExposureReport {
  /** How often each event was tracked, and the sum of its values. */
  readonly events: readonly { readonly event: string; readonly count: number; readonly value: number }[];
  /** How many were exposed to each variant, and how many of those did what was tracked, each counted once. */
  readonly variants: readonly {
    readonly flag: string;
    readonly variant: string;
    readonly exposed: number;
    readonly converted: readonly { readonly event: string; readonly count: number; readonly value: number }[];
  }[];
  /** Calls of `onExposure` and `onTrack` that have failed. */
  readonly failed: number;
  /** What is not counted above, because there were too many names. */
  readonly uncounted: number;
}

const SUBJECTS_MAX = 1_000_000;
/** Flags that one subject is remembered to have been exposed to. */
const FLAGS_MAX = 50;
/** Pairs of an event and a variant that one subject is remembered for. */
const PAIRS_MAX = 200;
/** Names of events, and pairs of flag and variant, that are counted. */
const NAMES_MAX = 1_000;
/** Names of events that are counted for one variant. */
const PER_VARIANT_MAX = 100;
/** Longer ids are nobody's; longer names of events are cut. In characters. */
const ID_MAX = 4_096;
const EVENT_MAX = 256;

interface Subject {
  /** By flag: the variant that was served last. */
  readonly exposures: Map<string, Exposure>;
  /** Pairs of an event and a flag with a variant that were counted for it. */
  readonly converted: Set<string>;
}

/** What is tracked, beside its name. */
export interface Tracked {
  readonly value?: number;
  readonly [detail: string]: unknown;
}

/** An answer, whoever gave it. */
interface Served {
  readonly variant: string | undefined;
  readonly reason: string | undefined;
  readonly metadata: FlagMetadata;
}

interface Count {
  count: number;
  value: number;
}

/** A memory of exposures, with a hook that sees them, and a tracker that joins them with events. */
export class Exposures {
  /** For a client, for the API, or by way of a provider's `exposures`: use one of these ways. */
  readonly hook: Hook;
  readonly #options: ExposuresOptions;
  readonly #subjectsMax: number;
  /** The one that was asked about longest ago comes first. */
  readonly #subjects = new Map<string, Subject>();
  readonly #events = new Map<string, Count>();
  readonly #variants = new Map<
    string,
    { flag: string; variant: string; exposed: number; converted: Map<string, Count> }
  >();
  #failed = 0;
  #uncounted = 0;

  /** @internal */
  constructor(options: ExposuresOptions) {
    const { subjectsMax = 10_000 } = options;
    if (!(Number.isInteger(subjectsMax) && subjectsMax >= 1 && subjectsMax <= SUBJECTS_MAX)) {
      throw new RangeError(`subjectsMax: a whole number from 1 to ${SUBJECTS_MAX}, not ${subjectsMax}`);
    }
    this.#options = options;
    this.#subjectsMax = subjectsMax;
    this.hook = {
      after: ({ context }, { flagKey, variant, reason, flagMetadata }) =>
        this.#served(flagKey, context, { variant, reason, metadata: flagMetadata }),
    };
  }

  /**
   * Takes what {@link hook} would see, of flags that were asked directly: `exposures.served("button", user.known, user.stringDetails("button"))`.
   * Never throws.
   */
  served(flag: string, context: Readonly<Record<string, unknown>>, details: FlagDetails<unknown>): void {
    const { variant, reason, metadata } = details;
    this.#served(flag, context, { variant, reason, metadata: { ...metadata } });
  }

  /** Takes an event, counts it, and tells `onTrack` of it with what its subject was exposed to. Never throws. */
  track(event: string, context: Readonly<Record<string, unknown>>, { value, ...details }: Tracked = {}): void {
    const number = typeof value === "number" && Number.isFinite(value) ? value : undefined;
    this.#count(this.#events, event, number);
    const id = this.#idOf(context);
    const subject = id === undefined ? undefined : this.#subjects.get(id);
    const exposures = subject === undefined ? [] : [...subject.exposures.values()];
    if (subject !== undefined) for (const exposure of exposures) this.#convert(subject, exposure, event, number);
    this.#tell(this.#options.onTrack, {
      event,
      ...(id !== undefined && { subject: id }),
      ...(number !== undefined && { value: number }),
      atMs: Date.now(),
      details,
      exposures,
      attributes: this.#attributesOf(context),
    });
  }

  report(): ExposureReport {
    const rows = (counts: Map<string, Count>) =>
      [...counts].map(([event, { count, value }]) => ({ event, count, value }));
    return {
      events: rows(this.#events),
      variants: [...this.#variants.values()].map(({ flag, variant, exposed, converted }) => ({
        flag,
        variant,
        exposed,
        converted: rows(converted),
      })),
      failed: this.#failed,
      uncounted: this.#uncounted,
    };
  }

  #served(flag: string, context: Readonly<Record<string, unknown>>, { variant, reason, metadata }: Served): void {
    if (variant === undefined || reason === "DISABLED") return;
    const decided = reason === "STALE" ? metadata.reason : reason;
    if (decided !== "SPLIT" && this.#options.of !== "all") return;
    const id = this.#idOf(context);
    if (id === undefined) return;
    const subject = this.#subject(id);
    const before = subject.exposures.get(flag);
    if (before?.variant === variant) return;
    if (before === undefined && subject.exposures.size >= FLAGS_MAX) {
      this.#uncounted += 1;
      return;
    }
    const { revision, rule } = metadata;
    const exposure: Exposure = {
      flag,
      variant,
      subject: id,
      atMs: Date.now(),
      ...(typeof revision === "number" && { revision }),
      ...(rule !== undefined && typeof rule !== "boolean" && { rule }),
      attributes: this.#attributesOf(context),
    };
    subject.exposures.set(flag, exposure);
    const counted = this.#variant(flag, variant);
    if (counted === undefined) this.#uncounted += 1;
    else counted.exposed += 1;
    this.#tell(this.#options.onExposure, exposure);
  }

  /** The subject of an id, as the one that was asked about last. */
  #subject(id: string): Subject {
    const subject = this.#subjects.get(id) ?? { exposures: new Map(), converted: new Set() };
    this.#subjects.delete(id);
    this.#subjects.set(id, subject);
    if (this.#subjects.size > this.#subjectsMax) {
      const [oldest] = this.#subjects.keys();
      this.#subjects.delete(oldest as string);
    }
    return subject;
  }

  /** Counts an event for a variant, once for each subject; its value each time. */
  #convert(subject: Subject, { flag, variant }: Exposure, event: string, value: number | undefined): void {
    const counted = this.#variant(flag, variant);
    const pair = JSON.stringify([event.slice(0, EVENT_MAX), flag, variant]);
    const isFirst = !subject.converted.has(pair);
    if (counted === undefined || (isFirst && subject.converted.size >= PAIRS_MAX)) {
      this.#uncounted += 1;
      return;
    }
    subject.converted.add(pair);
    this.#count(counted.converted, event, value, isFirst ? 1 : 0, PER_VARIANT_MAX);
  }

  #variant(flag: string, variant: string) {
    const name = JSON.stringify([flag, variant]);
    let counted = this.#variants.get(name);
    if (counted === undefined && this.#variants.size < NAMES_MAX) {
      counted = { flag, variant, exposed: 0, converted: new Map() };
      this.#variants.set(name, counted);
    }
    return counted;
  }

  #count(counts: Map<string, Count>, event: string, value = 0, by = 1, namesMax = NAMES_MAX): void {
    const name = event.slice(0, EVENT_MAX);
    let count = counts.get(name);
    if (count === undefined) {
      if (counts.size >= namesMax) {
        this.#uncounted += 1;
        return;
      }
      count = { count: 0, value: 0 };
      counts.set(name, count);
    }
    count.count += by;
    count.value += value;
  }

  #idOf(context: Readonly<Record<string, unknown>>): string | undefined {
    const { subject } = this.#options;
    try {
      const id: unknown = subject === undefined ? context.targetingKey : subject(context as EvaluationContext);
      if (typeof id === "number") return String(id);
      return typeof id === "string" && id !== "" && id.length <= ID_MAX ? id : undefined;
    } catch {
      this.#failed += 1;
      return undefined;
    }
  }

  #attributesOf(context: Readonly<Record<string, unknown>>): Attributes {
    const { attributes: names = [] } = this.#options;
    if (names.length === 0) return {};
    try {
      const all = attributesOf(context);
      return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])));
    } catch (error) {
      if (!(error instanceof ContextError)) throw error;
      return {};
    }
  }

  #tell<T>(sink: ((told: T) => unknown) | undefined, told: T): void {
    const failed = () => {
      this.#failed += 1;
    };
    try {
      Promise.resolve(sink?.(told)).catch(failed);
    } catch {
      failed();
    }
  }
}

/** Makes a memory of exposures. See {@link ExposuresOptions}. */
export function createExposures(options: ExposuresOptions = {}): Exposures {
  return new Exposures(options);
}
