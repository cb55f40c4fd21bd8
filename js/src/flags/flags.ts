// `createFlags`: where definitions come from, what holds, and who hears of a change.

import { decode } from "../entrypoints/decode.ts";
import { platform as thisPlatform, variables } from "../platform/platform.ts";
import type { Store } from "../store/store.ts";
import type { StrongStore } from "../store/strong.ts";
import { bundled, type FlagBundle, isBundle, readBundle } from "./bundle.ts";
import { type Changed, changed, type Stand } from "./changed.ts";
import { type EvaluationContext, FlagContext } from "./context.ts";
import { documentIn, type FlagDefinitions, type FlagDocument, loadable, refusing, textOf } from "./definitions.ts";
import { type Edition, Engine } from "./engine.ts";
import type { FlagExposure } from "./exposures.ts";
import { type Background, type FlagsFollowing, Follower, type FollowerHost } from "./follower.ts";
import { Kills } from "./kills.ts";
import { Listeners } from "./listeners.ts";
import { fromBundle, fromMonitor, type Propagation } from "./propagation.ts";
import { type Explanation, FlagsRefusedError, type Moved, type SampleRatio, type SplitMismatch } from "./reports.ts";
import { type FlagDatabase, sourceOf } from "./sources.ts";
import type { FlagTools } from "./tools.ts";
import { flagVariables, type LayerSettings, layerVariables } from "./variables.ts";

/** An order as a monitor has seen it. */
interface SeenOrder {
  version: number;
  value: Record<string, unknown>;
  /** Of flags: their snapshot, in base64. */
  compiled?: string;
}

/** What flags need of a monitor that follows what operators order. */
export interface FlagOrders {
  readonly orders: { readonly flags?: SeenOrder; readonly kill?: SeenOrder };
  on(event: "order", listener: (name: string, order: SeenOrder) => unknown): () => void;
  /** Tells when those were known to be all that there is, in milliseconds since the epoch. */
  on(event: "verified", listener: (atMs: number) => unknown): () => void;
  /** Counts what these flags serve among its metrics. Returns what ends it. */
  watchFlags?(source: FlagExposures): () => void;
}

/** What flags have served since they were made. */
export interface FlagExposures {
  exposures(): readonly FlagExposure[];
  /** Flags whose users were not split as their rules say. */
  mismatches?(): readonly SplitMismatch[];
}

export interface FlagsOptions {
  /** What holds until something newer is known: bundled with the application, it is there from the first request on. */
  readonly definitions?: FlagDefinitions;
  /** A monitor with a `store`: flags are then what operators order by the admin routes, and so is what is killed. */
  readonly monitor?: FlagOrders;
  /**
   * Where operators' orders are, for an isolate without a monitor: a strong store, or a cache that orders are put into, such as
   * `workersKvStore(env.SEAWALL_KV)`. See `flags.propagation` for what that means for a kill.
   */
  readonly store?: StrongStore | Store;
  /**
   * The client of the database in which the orders are as well, in the table of `strongLibsqlStore`: then its own requests tell
   * whether there are newer ones, and none is sent for that.
   */
  readonly database?: FlagDatabase;
  /** Milliseconds after which flags are looked for again while they are asked for; by default what suits the store. */
  readonly intervalMs?: number;
  /** One of the requests to `database` asks in so many milliseconds, 100 by default; 0 for each. */
  readonly piggybackIntervalMs?: number;
  /** Where `FEATURE_…` and `ROLLOUT_…` are; `process.env` where there is one. A Worker gives its `env`. */
  readonly env?: Readonly<Record<string, unknown>>;
  /** What Seawall's own layers are where no document has their flags: before variables of the same name. */
  readonly features?: LayerSettings["features"];
  readonly rollouts?: LayerSettings["rollouts"];
}

/** What is told when other flags hold. */
export interface FlagsChanged extends Changed {
  /** The edition that its document says. */
  readonly revision: number;
  /** What is worth a warning in it. */
  readonly warnings: readonly string[];
}

/** What is told when nobody can tell any more whether what holds is current. It holds on. */
export interface FlagsStale {
  readonly error: unknown;
  /** When it was known to be, in milliseconds since the epoch; 0 for never. */
  readonly confirmedAtMs: number;
}

/** What is told when definitions were refused, and those before hold on. */
export interface FlagsRefused {
  readonly error: FlagsRefusedError;
}

interface FlagEvents {
  change: FlagsChanged;
  refused: FlagsRefused;
  stale: FlagsStale;
  /** It can be told again. */
  fresh: FlagsFollowing;
}

/** A document that has none. */
const NO_FLAGS = '{"version":1}';

/** How long a request waits for its flags, unless told otherwise, in milliseconds. */
const READY_MS = 1_000;

/** Flags of an isolate. Make them once, outside of requests. */
export class Flags {
  readonly #engine = new Engine();
  readonly #tools: FlagTools | undefined;
  /** The document of what holds, where it is known. */
  #document: FlagDocument | string | undefined;
  readonly #listeners = new Listeners<FlagEvents>(["change", "refused", "stale", "fresh"]);
  readonly #stop: (() => void) | undefined;
  readonly #follower: Follower | undefined;
  /** What options and clients say of layers, as variables. */
  #layerSettings: Readonly<Record<string, string>>;
  /** What is off by orders, and what this isolate has turned off itself. */
  #kills = new Kills();
  /** How fast a kill reaches this isolate. As text it is a sentence: print it where the application starts. */
  readonly propagation: Propagation;

  /**
   * @internal
   * @param tools Without them, snapshots alone are taken.
   * @throws FlagsRefusedError that names all that is wrong with `definitions` or with variables; TypeError or RangeError for another
   * option that cannot be used.
   */
  constructor(
    { definitions, monitor, env = variables(), features, rollouts, ...where }: FlagsOptions = {},
    tools?: FlagTools,
    platform = thisPlatform,
  ) {
    this.#tools = tools;
    const bundle = isBundle(definitions) ? refusing(() => readBundle(definitions)) : undefined;
    if (bundle !== undefined) this.#kills = new Kills(bundle.kill);
    this.#layerSettings = layerVariables({ ...(features && { features }), ...(rollouts && { rollouts }) });
    this.#take({ variables: { ...flagVariables(env), ...this.#layerSettings }, kill: this.#kills.all }, definitions);
    const source = sourceOf(where, tools);
    if (source !== undefined && monitor !== undefined) {
      throw new TypeError(
        "createFlags: a monitor follows its own store: give it the monitor, or a store or a database",
      );
    }
    this.propagation = source?.propagation ?? (monitor === undefined ? fromBundle() : fromMonitor());
    if (source !== undefined) {
      this.#follower = new Follower(source, this.#host(), platform);
      if (bundle !== undefined) this.#follower.begin(bundle.versions);
    }
    if (monitor === undefined) return;
    const ends = [
      monitor.on("verified", (atMs) => this.#engine.confirm(atMs)),
      monitor.on("order", (name, order) => this.#ordered(name, order)),
      monitor.watchFlags?.(this),
    ];
    this.#stop = () => {
      for (const end of ends) end?.();
    };
    const { flags, kill } = monitor.orders;
    if (flags !== undefined) this.#ordered("flags", flags);
    if (kill !== undefined) this.#ordered("kill", kill);
  }

  /**
   * Flags for one user or request: make it when the request comes, ask it as often as you like, and let it go. Where flags live in a
   * store, this is what begins a look behind the request; give the `ctx` of a Worker where nothing else keeps that alive.
   */
  for(context: EvaluationContext, background?: Background): FlagContext {
    this.#follower?.due(background);
    return new FlagContext(this.#engine, context);
  }

  /** Whether definitions were ever loaded. */
  get isReady(): boolean {
    return this.#engine.isReady;
  }

  /** The edition that the document says. */
  get revision(): number {
    return this.#engine.revision;
  }

  /** The keys of all flags, in order. */
  get keys(): readonly string[] {
    return this.#engine.keys();
  }

  /** What a boolean flag is for everybody, `fallback` where there is none; undefined if that differs between those who ask. */
  constant(key: string, fallback = false): boolean | undefined {
    const found = this.#engine.constant(key);
    return found === -2 ? fallback : found === -1 ? undefined : found === 1;
  }

  /**
   * Replaces the definitions, all of them or none.
   *
   * @returns What is worth a warning.
   * @throws FlagsRefusedError that names all that is wrong. What held before holds on.
   */
  update(definitions: FlagDefinitions): readonly string[] {
    return this.#take({}, definitions);
  }

  /** Says that the definitions are current: `maxAge` counts from now. */
  confirm(): void {
    this.#take({ confirmedAt: Date.now() }, undefined, false);
  }

  /** Turns these flags off in this isolate at once, whatever else is said; `true` is all of them, none takes it back. */
  kill(keys: readonly string[] | true): void {
    this.#kill(this.#kills.withOwn(keys));
  }

  /** What is known of the store that flags live in; nothing where they live in none. */
  get following(): FlagsFollowing | undefined {
    return this.#follower?.following;
  }

  /**
   * Waits until what holds is known to be what the store says, as of the last interval, and no longer than `timeoutMs`. Never rejects.
   *
   * @returns Whether it is. What holds, holds in any case.
   */
  async ready({ timeoutMs = READY_MS }: { timeoutMs?: number } = {}): Promise<boolean> {
    return this.#follower === undefined ? this.isReady : this.#follower.ready(timeoutMs);
  }

  /**
   * Looks now whether the store has newer orders.
   *
   * @throws Error that says why nobody can tell, or FlagsRefusedError; what held before holds on. TypeError without a store.
   */
  async refresh(): Promise<FlagsFollowing> {
    if (this.#follower === undefined) throw new TypeError("flags.refresh() needs a store or a database to look into");
    return this.#follower.refresh();
  }

  /** What holds, to be bundled with the next deployment: see docs/flags.md. */
  bundle(): FlagBundle {
    const { versions = { flags: 0, kill: 0 } } = this.following ?? {};
    return bundled(this.snapshot(), versions, this.#kills.ordered, this.#engine.edition.confirmedAt);
  }

  /**
   * The definitions as bytes, which load faster than a document.
   *
   * @throws Error if none were ever loaded.
   */
  snapshot(): Uint8Array {
    const { snapshot } = this.#engine.edition;
    if (snapshot === undefined) throw new Error("No definitions of flags were loaded: there is no snapshot of them");
    return snapshot.slice();
  }

  /**
   * How often each variant of each flag was served by these flags, since they were made. Numbers only rise, and go on when
   * definitions change. `explain`, `whoMoves` and `all()` of a context count nothing.
   */
  exposures(): readonly FlagExposure[] {
    return this.#engine.exposures();
  }

  /** Why a flag is what it is for somebody, rule by rule. It holds the values of attributes. Nothing if there is no such flag. */
  explain(key: string, context: EvaluationContext): Explanation | undefined {
    return this.#engine.explain(this.#needed("explain"), this.for(context), key);
  }

  /**
   * Whether users were split between the variants of a flag as its rules say: a chi-square test over at most 1,024 different
   * users of each rule that splits, whom these flags have served. Nothing for a flag that does not split, or is not there.
   */
  sampleRatio(key: string): SampleRatio | undefined {
    return this.#engine.sampleRatio(this.#needed("sampleRatio"), key);
  }

  /** The flags of which `sampleRatio` says `mismatch`, rule by rule; at most twenty. */
  mismatches(): readonly SplitMismatch[] {
    return this.#engine.mismatches(this.#needed("mismatches"));
  }

  /**
   * What layers are where no document has their flags: a client with `layers` says so for its settings `features` and `rollouts`.
   *
   * @throws TypeError that names a setting that cannot be used, or of which another client or an option says something else.
   */
  layerDefaults(settings: LayerSettings): void {
    const said = layerVariables(settings);
    for (const [name, value] of Object.entries(said)) {
      if ((this.#layerSettings[name] ?? value) === value) continue;
      const path = name.replace("FEATURE_", "features.").replace("ROLLOUT_", "rollouts.");
      throw new TypeError(`invalid configuration: ${path}: these flags were told something else before`);
    }
    this.#layerSettings = { ...this.#layerSettings, ...said };
    this.#take({ variables: { ...this.#engine.edition.variables, ...said } });
  }

  /**
   * Who would get something else with another document: counts by flag over a sample of contexts.
   *
   * @throws FlagsRefusedError that names all that is wrong with the document.
   */
  whoMoves(document: FlagDocument | string, sample: readonly EvaluationContext[]): readonly Moved[] {
    const tools = this.#needed("whoMoves");
    return refusing(() => {
      const before = this.#engine.edition.snapshot ?? tools.compile(NO_FLAGS).snapshot;
      return tools.whoMoves(before, textOf(document), JSON.stringify(sample), Date.now()) as Moved[];
    });
  }

  /**
   * Tells of other flags, or of definitions that were refused. What a listener throws is dropped.
   *
   * @returns Ends it.
   */
  on<E extends keyof FlagEvents>(event: E, listener: (told: FlagEvents[E]) => unknown): () => void {
    return this.#listeners.add(event, listener);
  }

  /** Hears no more of a monitor, and asks with no more requests. */
  close(): void {
    this.#stop?.();
    this.#follower?.close();
  }

  #ordered(name: string, { value, compiled }: SeenOrder): void {
    try {
      if (name === "flags") this.#published(value, compiled);
      if (name === "kill") this.#kill(this.#kills.withOrder(value));
    } catch (error) {
      if (!(error instanceof FlagsRefusedError)) throw error;
      this.#listeners.tell("refused", { error });
    }
  }

  /** Takes what is off, all of it or nothing. */
  #kill(kills: Kills): void {
    const before = this.#kills;
    this.#kills = kills;
    try {
      this.#take({ kill: kills.all });
    } catch (error) {
      this.#kills = before;
      throw error;
    }
  }

  #host(): FollowerHost {
    return {
      take: (name, { value, compiled }) => {
        if (name === "kill") this.#kill(this.#kills.withOrder(value));
        else this.#published(value, compiled);
      },
      confirmed: (atMs) => this.#engine.confirm(atMs),
      refused: (error) => {
        this.#listeners.tell("refused", {
          error: error instanceof FlagsRefusedError ? error : new FlagsRefusedError(error),
        });
      },
      stale: (error, confirmedAtMs) => this.#listeners.tell("stale", { error, confirmedAtMs }),
      fresh: () => this.#listeners.tell("fresh", this.following as FlagsFollowing),
    };
  }

  /** Takes the snapshot that an order brings; its document, if another release made that. */
  #published(document: FlagDocument, compiled: string | null | undefined): void {
    try {
      if (typeof compiled !== "string") this.update(document);
      else this.#take({}, decode(compiled), true, document);
    } catch (error) {
      if (this.#tools === undefined || typeof compiled !== "string") throw error;
      this.update(document);
    }
  }

  /** What is said now, to be compared with what is said next. */
  #stand(): Stand {
    return { ...this.#engine.edition, document: this.#document };
  }

  /** `document` is that of a snapshot, where it is known. */
  #take(
    change: Partial<Edition>,
    definitions?: FlagDefinitions,
    isTold = true,
    document: FlagDocument | string | undefined = documentIn(definitions),
  ): readonly string[] {
    const before = this.#stand();
    const warnings = refusing(() => {
      const compiled = definitions === undefined ? undefined : loadable(definitions, this.#tools);
      const { snapshot, confirmedAt = Date.now() } = compiled ?? {};
      const fresh = snapshot === undefined ? {} : { snapshot, confirmedAt };
      this.#engine.take({ ...this.#engine.edition, ...fresh, ...change });
      return compiled?.warnings ?? [];
    });
    if (definitions !== undefined) this.#document = document;
    if (isTold && this.#listeners.hears("change")) {
      this.#listeners.tell("change", { revision: this.revision, warnings, ...changed(before, this.#stand()) });
    }
    return warnings;
  }

  #needed(what: string): FlagTools {
    if (this.#tools === undefined)
      throw new Error(`${what} is for flags of seawall/flags: seawall/flags/snapshot lacks it`);
    return this.#tools;
  }
}
