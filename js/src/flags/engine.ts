// The definitions that hold, and who was asked about last: what stands between contexts and the core.

import type { FlagContext, JsonValue } from "./context.ts";
import { placeOf, Served, servedOf } from "./decision.ts";
import { type Core, LiveCore } from "./live-core.ts";
import { RoomWriter } from "./room.ts";

/** A flag, as it is remembered by its key. */
export interface KnownFlag {
  readonly place: number;
  /** The names and values of its variants, by place. */
  readonly names: readonly string[];
  readonly values: readonly JsonValue[];
}

/** What holds: definitions, what variables say, what is killed. */
export interface Edition {
  /** A document as JSON, or a snapshot; nothing before the first. */
  readonly definitions: string | Uint8Array | undefined;
  readonly variables: string;
  readonly kill: string;
  readonly confirmedAt: number;
}

/** What a core that cannot be replaced answers: nothing is served, for reasons that are nobody's. */
const FAILED = (3 << 16) | (7 << 18) | (7 << 21) | (8 << 24);

/** Flags of one isolate. */
export class Engine {
  #edition: Edition = { definitions: undefined, variables: "{}", kill: "[]", confirmedAt: 0 };
  readonly #core: LiveCore;
  #writer = this.#newWriter();
  #known = new Map<string, KnownFlag>();
  #every: readonly [string, KnownFlag][] | undefined;
  #attributes: readonly string[] = [];
  #revision = 0;
  /** Who was entered, into which instance, with what was known then. */
  #entered: FlagContext | undefined;
  #generation = -1;

  constructor() {
    this.#core = new LiveCore((core) => this.#fill(core, this.#edition));
  }

  get isReady(): boolean {
    return this.#edition.definitions !== undefined;
  }

  get revision(): number {
    return this.#revision;
  }

  get edition(): Edition {
    return this.#edition;
  }

  /**
   * Takes an edition, all of it or nothing.
   *
   * @returns Warnings about it.
   * @throws Error that names all that is wrong. What held before holds on.
   */
  take(edition: Edition): string[] {
    const core = this.#core.get();
    const isSame = edition.definitions === this.#edition.definitions;
    let warnings: string[] = [];
    try {
      if (isSame) {
        core.overrideBy(edition.variables, edition.kill);
        core.confirmedAt(edition.confirmedAt);
      } else {
        warnings = this.#fill(core, edition);
      }
    } catch (error) {
      this.#core.failed(error);
      throw error;
    }
    this.#edition = edition;
    this.#forget();
    return warnings;
  }

  /** The flag of a key, if there is one. */
  flag(key: string): KnownFlag | undefined {
    return this.#known.get(key) ?? this.#ask(() => this.#learn(key), undefined);
  }

  /** What a flag is for somebody, as a number. */
  decide(context: FlagContext, flag: KnownFlag): number {
    try {
      if (this.#entered !== context || this.#generation !== this.#core.generation) this.#enter(context);
      return this.#core.get().evaluate(flag.place);
    } catch (error) {
      const ask = () => {
        this.#enter(context);
        return this.#core.get().evaluate(flag.place);
      };
      return this.#again(error, ask, FAILED);
    }
  }

  /** What a variable says of a flag that no document has. */
  alone(context: FlagContext, key: string): { decision: number; value: JsonValue | undefined } | undefined {
    if (this.#edition.variables === "{}") return undefined;
    const ask = () => {
      this.#enter(context);
      return this.#core.get().alone(key);
    };
    const told = this.#ask(ask, "");
    if (told === "") return undefined;
    const [decision, value] = JSON.parse(told) as [number, JsonValue];
    return { decision, value: frozen(value) };
  }

  all(context: FlagContext): Record<string, JsonValue> {
    const ask = () => {
      const every = this.#everyFlag();
      this.#enter(context);
      return { every, decisions: this.#core.numbers(this.#core.get().all(), every.length).slice() };
    };
    const { every, decisions } = this.#ask(ask, { every: [], decisions: new Uint32Array() });
    // Without members of its own: a key may be `__proto__`.
    const found: Record<string, JsonValue> = Object.create(null);
    for (let at = 0; at < every.length; at += 1) {
      const [key, { values }] = every[at] as [string, KnownFlag];
      const decision = decisions[at] as number;
      const served = servedOf(decision);
      if (served === Served.Variant) found[key] = values[placeOf(decision)] as JsonValue;
      else if (served === Served.Forced) found[key] = this.forced(placeOf(decision)) as JsonValue;
      else if (served === Served.False) found[key] = false;
    }
    return found;
  }

  forced(place: number): JsonValue | undefined {
    return frozen(JSON.parse(this.#ask(() => this.#core.get().forced(place), "null")) as JsonValue);
  }

  /** More of the last decision. */
  detail(): { rule?: string | number; bucket?: number; prerequisite?: string } {
    return JSON.parse(this.#ask(() => this.#core.get().detail(), "{}"));
  }

  /** 0 or 1 for everybody, -1 if that differs, -2 if there is no such flag. */
  constant(key: string): number {
    return this.#ask(() => this.#core.get().constant(key), -1);
  }

  nearest(key: string): string {
    return this.#ask(() => this.#core.get().nearest(key), "");
  }

  keys(): string[] {
    return JSON.parse(this.#core.get().keys()) as string[];
  }

  snapshot(): Uint8Array {
    return this.#core.get().snapshot();
  }

  explain(context: FlagContext, flag: KnownFlag): unknown {
    this.#enter(context);
    return JSON.parse(this.#core.get().explain(flag.place));
  }

  whoMoves(document: string, sample: string): unknown {
    return JSON.parse(this.#core.get().whoMoves(document, sample));
  }

  /** What no platform has before its first request: chance, and on Workers the time. */
  #begin(core: Core, now: number): void {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    core.seed(seed);
    if (this.#edition.confirmedAt === 0) {
      this.#edition = { ...this.#edition, confirmedAt: now };
      core.confirmedAt(now);
    }
  }

  #fill(core: Core, { definitions, variables, kill, confirmedAt }: Edition): string[] {
    let warnings: string[] = [];
    if (typeof definitions === "string") warnings = JSON.parse(core.load(definitions, variables, kill)) as string[];
    else if (definitions !== undefined) core.loadSnapshot(definitions, variables, kill);
    core.confirmedAt(confirmedAt);
    // Another instance has another memory.
    this.#writer = this.#newWriter();
    this.#attributes = JSON.parse(core.attributes()) as string[];
    this.#revision = core.revision();
    this.#forget();
    return warnings;
  }

  #newWriter(): RoomWriter {
    return new RoomWriter((length) => ({ address: this.#core.get().room(length), memory: this.#core.memory }));
  }

  /** All flags, in the order of the core's numbers. */
  #everyFlag(): readonly [string, KnownFlag][] {
    this.#every ??= this.keys().map((key) => [key, this.flag(key) as KnownFlag]);
    return this.#every;
  }

  #forget(): void {
    this.#known = new Map();
    this.#every = undefined;
    this.#entered = undefined;
  }

  #learn(key: string): KnownFlag | undefined {
    const core = this.#core.get();
    const place = core.find(key);
    // Names that nobody has are not remembered: whoever asks for millions of them would fill the memory.
    if (place < 0) return undefined;
    const variants = JSON.parse(core.variants(place)) as [string, JsonValue][];
    const names = variants.map(([name]) => name);
    const known = { place, names, values: variants.map(([, value]) => frozen(value)) };
    this.#known.set(key, known);
    return known;
  }

  #enter(context: FlagContext): void {
    const core = this.#core.get();
    const now = Date.now();
    if (this.#generation !== this.#core.generation) this.#begin(core, now);
    core.enter(this.#writer.write(this.#attributes, context.known), now);
    this.#entered = context;
    this.#generation = this.#core.generation;
  }

  /** Asks the core, and once more if its instance has died; `otherwise` if that one dies too. */
  #ask<T>(ask: () => T, otherwise: T): T {
    try {
      return ask();
    } catch (error) {
      return this.#again(error, ask, otherwise);
    }
  }

  #again<T>(error: unknown, ask: () => T, otherwise: T): T {
    if (!this.#core.failed(error)) throw error;
    try {
      return ask();
    } catch (second) {
      this.#core.failed(second);
      return otherwise;
    }
  }
}

/** The same, and nobody changes it for others. */
function frozen<T extends JsonValue>(value: T): T {
  if (value !== null && typeof value === "object") {
    for (const part of Object.values(value)) frozen(part);
    Object.freeze(value);
  }
  return value;
}
