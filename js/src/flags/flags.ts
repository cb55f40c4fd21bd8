// `createFlags`: where definitions come from, what holds, and who hears of a change.

import { variables } from "../platform/platform.ts";
import { type EvaluationContext, FlagContext } from "./context.ts";
import { type Edition, Engine } from "./engine.ts";
import { type Explanation, FlagsRefusedError, type Moved } from "./reports.ts";
import { flagVariables } from "./variables.ts";

/** A document of flags: see docs/flags.md, and docs/flags.schema.json for editors. */
export type FlagDocument = { readonly [member: string]: unknown };

/** A document, the same as JSON, or a snapshot that was made of one. */
export type FlagDefinitions = FlagDocument | string | Uint8Array;

/** An order as a monitor has seen it. */
interface SeenOrder {
  version: number;
  value: Record<string, unknown>;
}

/** What flags need of a monitor that follows what operators order. */
export interface FlagOrders {
  readonly orders: { readonly flags?: SeenOrder; readonly kill?: SeenOrder };
  on(event: "order", listener: (name: string, order: SeenOrder) => unknown): () => void;
  /** Counts what these flags serve among its metrics. Returns what ends it. */
  watchFlags?(source: FlagExposures): () => void;
}

/** What flags have served since they were made. */
export interface FlagExposures {
  exposures(): readonly { readonly flag: string; readonly variant: string; readonly count: number }[];
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
export interface FlagsChanged {
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

/** Most listeners of one event. */
const LISTENERS_MAX = 100;

/** Flags of an isolate. Make them once, outside of requests. */
export class Flags {
  readonly #engine = new Engine();
  readonly #listeners = { change: new Set<(told: never) => unknown>(), refused: new Set<(told: never) => unknown>() };
  readonly #stop: (() => void) | undefined;

  /** @throws FlagsRefusedError that names all that is wrong with `definitions` or with variables. */
  constructor({ definitions, monitor, env = variables() }: FlagsOptions = {}) {
    const said = JSON.stringify(flagVariables(env));
    this.#take({
      ...this.#engine.edition,
      variables: said,
      ...(definitions !== undefined && this.#definitionsOf(definitions)),
    });
    if (monitor === undefined) return;
    const unheard = monitor.on("order", (name, order) => this.#ordered(name, order));
    const { exposures } = this as Partial<FlagExposures>;
    const unwatched = exposures && monitor.watchFlags?.({ exposures: () => exposures.call(this) });
    this.#stop = () => {
      unheard();
      unwatched?.();
    };
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

  /**
   * Replaces the definitions, all of them or none.
   *
   * @returns What is worth a warning.
   * @throws FlagsRefusedError that names all that is wrong. What held before holds on.
   */
  update(definitions: FlagDefinitions): readonly string[] {
    return this.#take({ ...this.#engine.edition, ...this.#definitionsOf(definitions) });
  }

  /** Says that the definitions are current: `maxAge` counts from now. */
  confirm(): void {
    this.#take({ ...this.#engine.edition, confirmedAt: Date.now() }, false);
  }

  /** Turns these flags off in this isolate at once, whatever else is said; `true` is all of them, none takes it back. */
  kill(keys: readonly string[] | true): void {
    this.#take({ ...this.#engine.edition, kill: JSON.stringify(keys) });
  }

  /** The definitions as bytes, which load faster than a document. */
  snapshot(): Uint8Array {
    return this.#engine.snapshot();
  }

  /** Why a flag is what it is for somebody, rule by rule. It holds the values of attributes. Nothing if there is no such flag. */
  explain(key: string, context: EvaluationContext): Explanation | undefined {
    const flag = this.#engine.flag(key);
    if (flag === undefined) return undefined;
    return this.#engine.explain(this.for(context), flag) as Explanation;
  }

  /**
   * Who would get something else with another document: counts by flag over a sample of contexts.
   *
   * @throws FlagsRefusedError that names all that is wrong with the document.
   */
  whoMoves(document: FlagDocument | string, sample: readonly EvaluationContext[]): readonly Moved[] {
    const text = typeof document === "string" ? document : JSON.stringify(document);
    try {
      return this.#engine.whoMoves(text, JSON.stringify(sample)) as Moved[];
    } catch (error) {
      throw new FlagsRefusedError(error);
    }
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

  #definitionsOf(definitions: FlagDefinitions): Pick<Edition, "definitions" | "confirmedAt"> {
    const isPacked = typeof definitions === "string" || definitions instanceof Uint8Array;
    return { definitions: isPacked ? definitions : JSON.stringify(definitions), confirmedAt: Date.now() };
  }

  #ordered(name: string, { value }: SeenOrder): void {
    try {
      if (name === "flags") this.update(value);
      if (name === "kill") this.kill(value.all === true ? true : ((value.flags ?? []) as string[]));
    } catch (error) {
      if (!(error instanceof FlagsRefusedError)) throw error;
      this.#tell("refused", { error });
    }
  }

  #take(edition: Edition, isTold = true): readonly string[] {
    let warnings: readonly string[];
    try {
      warnings = this.#engine.take(edition);
    } catch (error) {
      throw new FlagsRefusedError(error);
    }
    if (isTold) this.#tell("change", { revision: this.revision, warnings });
    return warnings;
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

/** Makes flags. See {@link FlagsOptions}. */
export function createFlags(options?: FlagsOptions): Flags {
  return new Flags(options);
}
