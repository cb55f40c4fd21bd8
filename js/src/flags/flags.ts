// `createFlags`: where definitions come from, what holds, and who hears of a change.

import { decode } from "../entrypoints/decode.ts";
import { variables } from "../platform/platform.ts";
import { type Changed, changed, type Stand } from "./changed.ts";
import { type EvaluationContext, FlagContext } from "./context.ts";
import { type Edition, Engine } from "./engine.ts";
import type { FlagExposure } from "./exposures.ts";
import { type Explanation, FlagsRefusedError, type Moved, type SampleRatio } from "./reports.ts";
import type { FlagTools } from "./tools.ts";

/** A document of flags: see docs/flags.md, and docs/flags.schema.json for editors. */
export type FlagDocument = { readonly [member: string]: unknown };

/** Flags as bytes, as `compileFlags`, `flags.snapshot()` and the monitor make them. */
export type FlagSnapshot = Uint8Array | ArrayBuffer;

/** A document, the same as JSON, or a snapshot that was made of one. */
export type FlagDefinitions = FlagDocument | string | FlagSnapshot;

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
}

export interface FlagsOptions {
  /** What holds until something newer is known: bundled with the application, it is there from the first request on. */
  readonly definitions?: FlagDefinitions;
  /** A monitor with a `store`: flags are then what operators order by the admin routes, and so is what is killed. */
  readonly monitor?: FlagOrders;
  /** Where `FEATURE_…` and `ROLLOUT_…` are; `process.env` where there is one. A Worker gives its `env`. */
  readonly env?: Readonly<Record<string, unknown>>;
}

/** What is told when other flags hold. */
export interface FlagsChanged extends Changed {
  /** The edition that its document says. */
  readonly revision: number;
  /** What is worth a warning in it. */
  readonly warnings: readonly string[];
}

/** What is told when definitions were refused, and those before hold on. */
export interface FlagsRefused {
  readonly error: FlagsRefusedError;
}

interface FlagEvents {
  change: FlagsChanged;
  refused: FlagsRefused;
}

/** A document that has none. */
const NO_FLAGS = '{"version":1}';

/** Most listeners of one event. */
const LISTENERS_MAX = 100;

/** Flags of an isolate. Make them once, outside of requests. */
export class Flags {
  readonly #engine = new Engine();
  readonly #tools: FlagTools | undefined;
  /** The document of what holds, where it is known. */
  #document: FlagDocument | string | undefined;
  readonly #listeners = { change: new Set<(told: never) => unknown>(), refused: new Set<(told: never) => unknown>() };
  readonly #stop: (() => void) | undefined;

  /**
   * @internal
   * @param tools Without them, snapshots alone are taken.
   * @throws FlagsRefusedError that names all that is wrong with `definitions` or with variables.
   */
  constructor({ definitions, monitor, env = variables() }: FlagsOptions = {}, tools?: FlagTools) {
    this.#tools = tools;
    this.#take({ variables: variablesIn(env) }, definitions);
    if (monitor === undefined) return;
    this.#stop = monitor.on("order", (name, order) => this.#ordered(name, order));
    const { flags, kill } = monitor.orders;
    if (flags !== undefined) this.#ordered("flags", flags);
    if (kill !== undefined) this.#ordered("kill", kill);
  }

  /** Flags for one user or request: make it when the request comes, ask it as often as you like, and let it go. */
  for(context: EvaluationContext): FlagContext {
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
    this.#take({ kill: keys === true || [...keys] });
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
    const listeners = this.#listeners[event];
    if (typeof listener !== "function" || listeners === undefined) {
      throw new TypeError('flags.on("change" or "refused", listener): give it a function');
    }
    if (listeners.size >= LISTENERS_MAX) throw new RangeError(`${LISTENERS_MAX} listeners are the most`);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }

  /** Hears no more of a monitor. */
  close(): void {
    this.#stop?.();
  }

  #ordered(name: string, { value, compiled }: SeenOrder): void {
    try {
      if (name === "flags") this.#published(value, compiled);
      if (name === "kill") this.kill(value.all === true ? true : ((value.flags ?? []) as string[]));
    } catch (error) {
      if (!(error instanceof FlagsRefusedError)) throw error;
      this.#tell("refused", { error });
    }
  }

  /** Takes the snapshot that an order brings; its document, if another release made that. */
  #published(document: FlagDocument, compiled: string | undefined): void {
    try {
      if (compiled === undefined) this.update(document);
      else this.#take({}, decode(compiled), true, document);
    } catch (error) {
      if (this.#tools === undefined || compiled === undefined) throw error;
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
    document: FlagDocument | string | undefined = isSnapshot(definitions) ? undefined : definitions,
  ): readonly string[] {
    const before = this.#stand();
    const warnings = refusing(() => {
      const compiled = definitions === undefined ? undefined : this.#compiled(definitions);
      const { snapshot } = compiled ?? {};
      const fresh = snapshot === undefined ? {} : { snapshot, confirmedAt: Date.now() };
      this.#engine.take({ ...this.#engine.edition, ...fresh, ...change });
      return compiled?.warnings ?? [];
    });
    if (definitions !== undefined) this.#document = document;
    if (isTold && this.#listeners.change.size > 0) {
      this.#tell("change", { revision: this.revision, warnings, ...changed(before, this.#stand()) });
    }
    return warnings;
  }

  #compiled(definitions: FlagDefinitions): { snapshot: Uint8Array; warnings: readonly string[] } {
    // A copy: what holds is loaded again when the core has trapped, and is the caller's to change otherwise.
    if (isSnapshot(definitions)) return { snapshot: new Uint8Array(definitions.slice(0)), warnings: [] };
    if (this.#tools === undefined)
      throw new Error("seawall/flags/snapshot takes snapshots alone; seawall/flags, documents");
    return this.#tools.compile(textOf(definitions));
  }

  #needed(what: string): FlagTools {
    if (this.#tools === undefined)
      throw new Error(`${what} is for flags of seawall/flags: seawall/flags/snapshot lacks it`);
    return this.#tools;
  }

  #tell<E extends keyof FlagEvents>(event: E, told: FlagEvents[E]): void {
    for (const listener of this.#listeners[event]) {
      try {
        Promise.resolve((listener as (told: FlagEvents[E]) => unknown)(told)).catch(() => {});
      } catch {
        // It is the application's own.
      }
    }
  }
}

/** Whether definitions are bytes. */
export function isSnapshot(definitions: FlagDefinitions | undefined): definitions is FlagSnapshot {
  return definitions instanceof Uint8Array || definitions instanceof ArrayBuffer;
}

/** The text of a document. */
export function textOf(document: FlagDocument | string): string {
  return typeof document === "string" ? document : JSON.stringify(document);
}

/** Whatever it throws says that flags were refused. */
export function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new FlagsRefusedError(error);
  }
}

function variablesIn(env: Readonly<Record<string, unknown>>): Record<string, string> {
  const isFlag = ([name, value]: [string, unknown]) => /^(?:FEATURE|ROLLOUT)_/.test(name) && typeof value === "string";
  return Object.fromEntries(Object.entries(env).filter(isFlag)) as Record<string, string>;
}
