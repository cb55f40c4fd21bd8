// Flags as OpenFeature's server SDK asks them. Only its types are imported: whoever has no OpenFeature loads none.

import type {
  ErrorCode,
  EvaluationContext,
  EventContext,
  FlagMetadata,
  Hook,
  JsonValue,
  Provider,
  ProviderEvents,
  ResolutionDetails,
} from "@openfeature/server-sdk";
import type { FlagDetails, Flags, JsonValue as FrozenJson } from "../flags/index.ts";
import { type Attributes, attributesOf, ContextError, isSame } from "./attributes.ts";
import { Emitter } from "./emitter.ts";
import type { Exposures } from "./exposures.ts";

/** What a provider needs of `createFlags`, with types or without. */
export interface FlagSource extends Pick<Flags, "isReady" | "on"> {
  for(context: Attributes): AskedFlags;
}

/** Flags of one context. */
export interface AskedFlags {
  booleanDetails(key: string, fallback: boolean): FlagDetails<boolean>;
  stringDetails(key: string, fallback: string): FlagDetails<string>;
  numberDetails(key: string, fallback: number): FlagDetails<number>;
  jsonDetails(key: string, fallback: FrozenJson): FlagDetails<FrozenJson>;
}

export interface OpenFeatureOptions {
  /**
   * How long `initialize` waits for the first definitions where there are none, in milliseconds. Default: it does not, and fails; `READY`
   * follows with the definitions. On Workers leave it out: there a request must not wait for what another one will bring.
   */
  readonly waitMs?: number;
  /** Told who was exposed to which variant, and who was tracked: see {@link Exposures}. */
  readonly exposures?: Exposures;
  /** The provider's own hooks. They run after those of the API, of the client and of the call; the one of `exposures` is the last. */
  readonly hooks?: readonly Hook[];
}

const WAIT_MAX_MS = 600_000;
/** How long who was asked about last is taken for the same, without being packed again: rules and ages see the time of the packing. */
const KEPT_MS = 100;

const EVENT = {
  ready: "PROVIDER_READY" as ProviderEvents.Ready,
  error: "PROVIDER_ERROR" as ProviderEvents.Error,
  stale: "PROVIDER_STALE" as ProviderEvents.Stale,
  changed: "PROVIDER_CONFIGURATION_CHANGED" as ProviderEvents.ConfigurationChanged,
} as const;

/** How a provider is, and since when of which flag. */
type State =
  | { readonly is: "ready" }
  /** Newer definitions were refused, or their store does not answer; else this flag is older than its `maxAge`. */
  | { readonly is: "stale"; readonly flag?: string; readonly by: "age" | "refusal" | "store" }
  | { readonly is: "error" };

const READY: State = { is: "ready" };

/** Why it could not begin. The SDK reads `code`. */
class BeginError extends Error {
  override readonly name = "BeginError";
  readonly code: string;

  constructor(code: "PROVIDER_NOT_READY" | "PARSE_ERROR", message: string) {
    super(message);
    this.code = code;
  }
}

/** A provider for `OpenFeature.setProvider`. See {@link openFeatureProvider}. */
export class SeawallProvider implements Provider {
  readonly metadata = { name: "seawall" } as const;
  readonly runsOn = "server";
  readonly events: Emitter = new Emitter();
  readonly hooks: Hook[];
  readonly track?: NonNullable<Provider["track"]>;
  readonly #flags: FlagSource;
  readonly #waitMs: number;
  #state: State = READY;
  /** What was wrong with definitions that were refused, while no others hold. */
  #refused: string | undefined;
  #listening: (() => void)[] = [];
  /** Ends the wait of `initialize`. */
  #settled: (() => void) | undefined;
  #last: { readonly attributes: Attributes; readonly context: AskedFlags; readonly atMs: number } | undefined;

  /** @internal */
  constructor(flags: FlagSource, { waitMs = 0, exposures, hooks = [] }: OpenFeatureOptions) {
    if (typeof flags?.for !== "function")
      throw new TypeError("openFeatureProvider(flags): give it what createFlags makes");
    if (!(waitMs >= 0 && waitMs <= WAIT_MAX_MS))
      throw new RangeError(`waitMs: from 0 to ${WAIT_MAX_MS}, not ${waitMs}`);
    this.#flags = flags;
    this.#waitMs = waitMs;
    this.hooks = exposures === undefined ? [...hooks] : [...hooks, exposures.hook];
    if (exposures !== undefined) {
      this.track = (name, context, details) => exposures.track(name, context, details);
    }
  }

  /**
   * Begins to listen, and is ready if there are definitions.
   *
   * @throws Error with the code `PROVIDER_NOT_READY`, or `PARSE_ERROR` if those that came were refused. It goes on listening.
   */
  async initialize(): Promise<void> {
    this.#listen();
    if (!this.#flags.isReady && this.#waitMs > 0) await this.#firstNews();
    if (this.#flags.isReady) {
      this.#state = READY;
      return;
    }
    this.#state = { is: "error" };
    const [code, message] = this.#whyNot();
    throw new BeginError(code, message);
  }

  /** Hears no more of the flags, and is heard no more. The flags are the application's, and go on. */
  async onClose(): Promise<void> {
    for (const end of this.#listening) end();
    this.#listening = [];
    // Set once more it is given handlers anew; the SDK takes none back when it is closed.
    this.events.removeAllHandlers();
    this.#last = undefined;
    this.#settled?.();
  }

  async resolveBooleanEvaluation(
    key: string,
    fallback: boolean,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<boolean>> {
    return this.#resolve(key, fallback, context, (asked) => asked.booleanDetails(key, fallback));
  }

  async resolveStringEvaluation(
    key: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.#resolve(key, fallback, context, (asked) => asked.stringDetails(key, fallback));
  }

  async resolveNumberEvaluation(
    key: string,
    fallback: number,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<number>> {
    return this.#resolve(key, fallback, context, (asked) => asked.numberDetails(key, fallback));
  }

  /** A value that is an object, a list or null. It is frozen: it is the same for everybody. */
  async resolveObjectEvaluation<T extends JsonValue>(
    key: string,
    fallback: T,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<T>> {
    return this.#resolve(key, fallback, context, (asked) => asked.jsonDetails(key, fallback) as FlagDetails<T>);
  }

  #resolve<T>(
    key: string,
    fallback: T,
    context: EvaluationContext,
    ask: (asked: AskedFlags) => FlagDetails<T>,
  ): ResolutionDetails<T> {
    let details: FlagDetails<T>;
    try {
      details = ask(this.#contextOf(context));
    } catch (error) {
      if (error instanceof ContextError) return failed(fallback, "INVALID_CONTEXT", error.message);
      return failed(fallback, "GENERAL", "The flag could not be evaluated.");
    }
    this.#looked(key, details);
    if (details.errorCode !== "PROVIDER_NOT_READY") return inWordsOfTheSdk(details);
    const [code, message] = this.#whyNot();
    return { ...inWordsOfTheSdk(details), errorCode: code as ErrorCode, errorMessage: message };
  }

  /** The SDK merges a new context for each call: what says the same as the last one is not packed again. */
  #contextOf(context: EvaluationContext): AskedFlags {
    const now = Date.now();
    const last = this.#last;
    const isRecent = last !== undefined && Math.abs(now - last.atMs) < KEPT_MS;
    if (isRecent && isSame(last.attributes, context)) return last.context;
    const attributes = attributesOf(context);
    if (isRecent && isSame(last.attributes, attributes)) return last.context;
    this.#last = { attributes, context: this.#flags.for(attributes), atMs: now };
    return this.#last.context;
  }

  /** Tells when flags have become too old, or the core has failed, and when that is over. */
  #looked(key: string, { reason, errorCode }: FlagDetails<unknown>): void {
    if (this.#listening.length === 0) return;
    const state = this.#state;
    if (errorCode === "GENERAL" || errorCode === "PROVIDER_FATAL") {
      this.#become({ is: "error" }, { message: "A flag could not be evaluated." });
    } else if (reason === "STALE") {
      if (state.is !== "stale") {
        this.#become(
          { is: "stale", by: "age", flag: key },
          { message: `${key.slice(0, 64)} is older than its maxAge.` },
        );
      }
    } else if (state.is === "stale" && state.flag !== undefined) {
      // Another flag may keep longer: the one that was too old says whether it still is.
      const again = this.#flags.for({}).booleanDetails(state.flag, false);
      if (again.reason !== "STALE") this.#become(READY, { message: "The definitions are current again." });
    } else if (state.is === "error" && this.#flags.isReady && errorCode === undefined) {
      this.#become(READY, { message: "Flags are evaluated again." });
    }
  }

  #listen(): void {
    if (this.#listening.length > 0) return;
    this.#listening = [
      this.#flags.on("change", (told) => {
        const { revision, warnings, hasNewDefinitions, flags } = told;
        // Another edition in which no flag is other than before is no change to those who listen.
        if (flags === undefined || flags.length > 0) {
          this.events.emit(EVENT.changed, {
            ...(flags !== undefined && { flagsChanged: [...flags] }),
            message: `Revision ${revision} holds.`,
            metadata: { revision, warnings: warnings.length },
          } as EventContext);
        }
        if (hasNewDefinitions) {
          this.#refused = undefined;
          this.#become(READY, { message: `Revision ${revision} holds.` });
        }
        if (this.#flags.isReady) this.#settled?.();
      }),
      this.#flags.on("stale", ({ confirmedAtMs }) => {
        // What else is wrong outlasts it.
        if (this.#state.is !== "ready") return;
        const message = "The store of the flags does not answer: those that were seen last hold on.";
        this.#become({ is: "stale", by: "store" }, { message, metadata: { confirmedAtMs } });
      }),
      this.#flags.on("fresh", () => {
        const { is, by } = { by: undefined, ...this.#state };
        if (is === "stale" && by === "store") this.#become(READY, { message: "The store of the flags answers again." });
      }),
      this.#flags.on("refused", ({ error }) => {
        const message = error.message.slice(0, 1_000);
        const metadata = { problems: error.problems.length };
        if (this.#flags.isReady) {
          this.#become({ is: "stale", by: "refusal" }, { message, metadata });
        } else {
          this.#refused = message;
          // While `initialize` waits, its end is what is told.
          if (this.#settled === undefined)
            this.#become({ is: "error" }, { message, metadata, errorCode: "PARSE_ERROR" }, true);
          this.#settled?.();
        }
      }),
    ];
  }

  /** Is so from now on, and tells it if it was not before. */
  #become(
    state: State,
    told: { message: string; metadata?: FlagMetadata; errorCode?: string },
    isAlwaysTold = false,
  ): void {
    const before = this.#state;
    this.#state = state;
    if (this.#settled !== undefined || (before.is === state.is && !isAlwaysTold)) return;
    this.events.emit(EVENT[state.is], told as EventContext);
  }

  /** Waits until definitions were taken or refused, at most so long; `onClose` ends it. */
  async #firstNews(): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    await new Promise<void>((resolve) => {
      this.#settled = resolve;
      timer = setTimeout(resolve, this.#waitMs);
    });
    this.#settled = undefined;
    clearTimeout(timer);
  }

  #whyNot(): ["PROVIDER_NOT_READY" | "PARSE_ERROR", string] {
    return this.#refused === undefined
      ? ["PROVIDER_NOT_READY", "No definitions of flags were loaded."]
      : ["PARSE_ERROR", this.#refused];
  }
}

/**
 * Makes a provider of flags: `OpenFeature.setProvider(openFeatureProvider(flags))`.
 *
 * Nothing that it resolves throws. The metadata of a flag are `revision`, `version` (the same as text), `by`, `rule`, `bucket`,
 * `prerequisite`, and of one that is older than its `maxAge` `stale` and, as `reason`, the reason that it would have.
 */
export function openFeatureProvider(flags: FlagSource, options: OpenFeatureOptions = {}): SeawallProvider {
  return new SeawallProvider(flags, options);
}

function inWordsOfTheSdk<T>({
  value,
  variant,
  reason,
  errorCode,
  errorMessage,
  metadata,
}: FlagDetails<T>): ResolutionDetails<T> {
  return {
    value,
    ...(variant !== undefined && { variant }),
    reason,
    ...(errorCode !== undefined && { errorCode: errorCode as ErrorCode }),
    ...(errorMessage !== undefined && { errorMessage }),
    flagMetadata: {
      ...metadata,
      version: String(metadata.revision),
      ...(reason === "STALE" && { stale: true }),
    },
  };
}

function failed<T>(value: T, errorCode: "INVALID_CONTEXT" | "GENERAL", errorMessage: string): ResolutionDetails<T> {
  return { value, reason: "ERROR", errorCode: errorCode as ErrorCode, errorMessage, flagMetadata: {} };
}
