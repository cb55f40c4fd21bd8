// The definitions that hold, and who was asked about last: what stands between contexts and the core.

import type { FlagContext, JsonValue } from "./context.ts";
import { placeOf, Served, servedOf } from "./decision.ts";
import { ExposureTotals } from "./exposures.ts";
import { type Core, LiveCore } from "./live-core.ts";
import { PackedReader, packSaid, textsIn } from "./packed.ts";
import type { Explanation, SampleRatio, SplitMismatch } from "./reports.ts";
import { packAttributes, RoomWriter } from "./room.ts";
import type { FlagTools } from "./tools.ts";

/** A flag, as it is remembered by its key. */
export interface KnownFlag {
  readonly place: number;
  /** The names and values of its variants, by place. */
  readonly names: readonly string[];
  readonly values: readonly JsonValue[];
  /** The attributes that it asks for, by place; undefined for all. */
  readonly needs: readonly number[] | undefined;
}

/** What holds: definitions, what variables say, what is killed. */
export interface Edition {
  /** A snapshot; nothing before the first. */
  readonly snapshot: Uint8Array | undefined;
  readonly variables: Readonly<Record<string, string>>;
  /** `true` is all flags. */
  readonly kill: readonly string[] | true;
  readonly confirmedAt: number;
}

/** The same as {@link SampleRatio}, as the tools tell it. */
type ToldRatio = Omit<SampleRatio, "observed" | "expected"> &
  Record<"observed" | "expected", readonly { readonly variant: string; readonly units: number }[]>;

/** What a core that cannot be replaced answers: nothing is served, for reasons that are nobody's. */
const FAILED = (3 << 16) | (7 << 18) | (7 << 21) | (8 << 24);
/** What the core adds to a decision on a flag that only a variable knows, where that serves `true`. */
const SERVES_TRUE = 2 ** 32;

/** Flags of one isolate. */
export class Engine {
  #edition: Edition = { snapshot: undefined, variables: {}, kill: [], confirmedAt: 0 };
  #hasVariables = false;
  readonly #core: LiveCore;
  #writer = this.#newWriter();
  #known = new Map<string, KnownFlag>();
  #every: { readonly keys: readonly string[]; readonly flags: readonly KnownFlag[] } | undefined;
  #attributes: readonly string[] = [];
  #revision = 0;
  #asksTime = false;
  #asksChance = false;
  #isSeeded = false;
  readonly #totals = new ExposureTotals();
  /** Who was entered, into which instance, with what was known then. */
  #entered: FlagContext | undefined;
  #enteredInto: Core;
  /** The one flag whose attributes were entered; undefined if all were, and can be used. */
  #enteredFor: KnownFlag | undefined;
  #generation = -1;

  constructor() {
    this.#core = new LiveCore((core) => {
      // Another instance has another memory.
      this.#writer = this.#newWriter();
      this.#fill(core, this.#edition);
    });
    this.#enteredInto = this.#core.get();
  }

  get isReady(): boolean {
    return this.#edition.snapshot !== undefined;
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
   * @throws Error that names all that is wrong. What held before holds on.
   */
  take(edition: Edition): void {
    this.#collect();
    const core = this.#core.get();
    try {
      if (edition.snapshot === this.#edition.snapshot) {
        core.overrideBy(packSaid(edition.kill, edition.variables));
        core.confirmedAt(edition.confirmedAt);
      } else {
        this.#fill(core, edition);
      }
    } catch (error) {
      this.#core.failed(error);
      throw error;
    }
    this.#edition = edition;
    this.#hasVariables = Object.keys(edition.variables).length > 0;
    this.#forget();
  }

  /** What holds was all that there was, at `atMs`. */
  confirm(atMs: number): void {
    this.#edition = { ...this.#edition, confirmedAt: atMs };
    this.#ask(() => this.#core.get().confirmedAt(atMs), undefined);
  }

  /** The flag of a key, if there is one. */
  flag(key: string): KnownFlag | undefined {
    return this.#known.get(key) ?? this.#ask(() => this.#learn(key), undefined);
  }

  /** What a flag is worth to somebody: `undefined` where the caller's code says, or nobody. */
  value(context: FlagContext, key: string): JsonValue | undefined {
    const flag = this.#known.get(key) ?? this.flag(key);
    if (flag === undefined) return this.alone(context, key)?.value;
    const decision = this.#decide(context, flag);
    // Most serve a variant.
    return servedOf(decision) === Served.Variant ? flag.values[placeOf(decision)] : this.served(flag, decision);
  }

  /** What a decision serves. */
  served(flag: KnownFlag, decision: number): JsonValue | undefined {
    switch (servedOf(decision)) {
      case Served.Variant:
        return flag.values[placeOf(decision)];
      case Served.Forced:
        return this.forced(placeOf(decision));
      case Served.False:
        return false;
      default:
        return undefined;
    }
  }

  /** What a flag is for somebody, as a number; {@link detail} then tells more. */
  decideInDetail(context: FlagContext, flag: KnownFlag): number {
    const ask = () => {
      this.#enter(context, flag);
      return this.#core.get().evaluateInDetail(flag.place);
    };
    return this.#ask(ask, FAILED);
  }

  /** The same, in the shortest way: no function is made here, because what that holds would be allocated by each call. */
  #decide(context: FlagContext, flag: KnownFlag): number {
    try {
      if (this.#entered !== context || !this.#core.isAlive) this.#enter(context, flag);
      else if (this.#enteredFor !== undefined && this.#enteredFor !== flag) this.#enterMore(context, flag);
      return this.#enteredInto.evaluate(flag.place);
    } catch (error) {
      return this.#decideAgain(error, context, flag);
    }
  }

  #decideAgain(error: unknown, context: FlagContext, flag: KnownFlag): number {
    const ask = () => {
      this.#enter(context, flag);
      return this.#enteredInto.evaluate(flag.place);
    };
    return this.#again(error, ask, FAILED);
  }

  /** What a variable says of a flag that no document has. */
  alone(context: FlagContext, key: string): { decision: number; value: JsonValue | undefined } | undefined {
    if (!this.#hasVariables) return undefined;
    const ask = () => {
      this.#enter(context);
      return this.#core.get().alone(key);
    };
    const told = this.#ask(ask, -1);
    if (told < 0) return undefined;
    const decision = told % SERVES_TRUE;
    const isForced = servedOf(decision) === Served.Forced;
    return { decision, value: isForced ? this.forced(placeOf(decision)) : told >= SERVES_TRUE };
  }

  all(context: FlagContext): Record<string, JsonValue> {
    const ask = () => {
      const { keys, flags } = this.#everyFlag();
      this.#enter(context);
      return { keys, flags, decisions: this.#core.numbers(this.#core.get().all(), keys.length).slice() };
    };
    const { keys, flags, decisions } = this.#ask(ask, { keys: [], flags: [], decisions: new Uint32Array() });
    // Without members of its own: a key may be `__proto__`.
    const found: Record<string, JsonValue> = Object.create(null);
    for (let at = 0; at < keys.length; at += 1) {
      const decision = decisions[at] as number;
      const served = servedOf(decision);
      const key = keys[at] as string;
      if (served === Served.Variant) found[key] = (flags[at] as KnownFlag).values[placeOf(decision)] as JsonValue;
      else if (served === Served.Forced) found[key] = this.forced(placeOf(decision)) as JsonValue;
      else if (served === Served.False) found[key] = false;
    }
    return found;
  }

  forced(place: number): JsonValue | undefined {
    return this.#ask(() => new PackedReader(this.#core.get().forced(place)).value(), undefined);
  }

  /** More of the last decision. */
  detail(): { rule?: string | number; bucket?: number; prerequisite?: string } {
    const ask = () => {
      const core = this.#core.get();
      const [rule, bucket, prerequisite] = [core.rule(), core.bucket(), core.prerequisite()];
      return {
        ...(rule >= 0 && { rule: core.ruleName() || rule }),
        ...(bucket >= 0 && { bucket }),
        ...(prerequisite >= 0 && { prerequisite: core.key(prerequisite) }),
      };
    };
    return this.#ask(ask, {});
  }

  /** 0 or 1 for everybody, -1 if that differs, -2 if there is no such flag. */
  constant(key: string): number {
    return this.#ask(() => this.#core.get().constant(key), -1);
  }

  nearest(key: string): string {
    return this.#ask(() => this.#core.get().nearest(key), "");
  }

  keys(): string[] {
    return textsIn(this.#core.get().keys());
  }

  /** How often variants were served, since the beginning. */
  exposures(): ReturnType<ExposureTotals["list"]> {
    this.#collect();
    return this.#totals.list();
  }

  explain(tools: FlagTools, context: FlagContext, key: string): Explanation | undefined {
    const { snapshot, kill, variables, confirmedAt } = this.#edition;
    if (snapshot === undefined) return undefined;
    const attributes = packAttributes(this.#attributes, context.known, this.flag(key)?.needs);
    const said = packSaid(kill, variables);
    const told = tools.explain(snapshot, said, attributes, key, Date.now(), confirmedAt) as Explanation | null;
    const sampleRatio = told === null ? undefined : this.sampleRatio(tools, key);
    return told === null ? undefined : { ...told, ...(sampleRatio !== undefined && { sampleRatio }) };
  }

  sampleRatio(tools: FlagTools, key: string): SampleRatio | undefined {
    const flag = this.flag(key);
    const { snapshot } = this.#edition;
    if (flag === undefined || snapshot === undefined) return undefined;
    const units = this.#ask(() => this.#core.get().observed(flag.place), new Uint32Array());
    const told = tools.sampleRatio(snapshot, key, units) as ToldRatio | null;
    if (told === null) return undefined;
    const byVariant = (portions: ToldRatio["observed"]) =>
      Object.fromEntries(portions.map(({ variant, units }) => [variant, units]));
    return { ...told, observed: byVariant(told.observed), expected: byVariant(told.expected) };
  }

  mismatches(tools: FlagTools): readonly SplitMismatch[] {
    const { snapshot } = this.#edition;
    if (snapshot === undefined) return [];
    const observed = this.#ask(() => {
      const all: number[] = [];
      for (const [place] of this.keys().entries()) {
        const units = this.#core.get().observed(place);
        if (units.length > 0) all.push(place, units.length, ...units);
      }
      return all;
    }, []);
    return observed.length === 0 ? [] : (tools.mismatches(snapshot, Uint32Array.from(observed)) as SplitMismatch[]);
  }

  /** Workers have no time before their first request. */
  #begin(core: Core): void {
    this.#isSeeded = false;
    if (this.#edition.confirmedAt === 0) {
      const confirmedAt = Date.now();
      this.#edition = { ...this.#edition, confirmedAt };
      core.confirmedAt(confirmedAt);
    }
  }

  /** Gives chance to flags that want it. Workers have none before their first request, and Node takes milliseconds to load it. */
  #seed(core: Core): void {
    const [seed = 0] = crypto.getRandomValues(new Uint32Array(1));
    core.seed(seed);
    this.#isSeeded = true;
  }

  #fill(core: Core, { snapshot, variables, kill, confirmedAt }: Edition): void {
    const said = packSaid(kill, variables);
    if (snapshot === undefined) core.overrideBy(said);
    else core.load(snapshot, said);
    core.confirmedAt(confirmedAt);
    this.#attributes = textsIn(core.attributes());
    this.#revision = core.revision();
    this.#asksTime = core.asksTime();
    this.#asksChance = core.asksChance();
    this.#forget();
  }

  /** Adds what the core has counted to what is known by name: places change with every edition. */
  #collect(): void {
    if (!this.isReady) return;
    const nameOf = (place: number, variant: number) => {
      const key = this.#core.get().key(place);
      return [key, this.flag(key)?.names[variant] ?? ""] as const;
    };
    this.#totals.add(
      this.#ask(() => this.#core.get().exposures(), new Uint32Array()),
      nameOf,
    );
  }

  #newWriter(): RoomWriter {
    return new RoomWriter((length) => ({ address: this.#core.get().room(length), memory: this.#core.memory }));
  }

  /** All flags, in the order of the core's numbers. */
  #everyFlag(): { readonly keys: readonly string[]; readonly flags: readonly KnownFlag[] } {
    if (this.#every === undefined) {
      const keys = this.keys();
      this.#every = { keys, flags: keys.map((key) => this.flag(key) as KnownFlag) };
    }
    return this.#every;
  }

  #forget(): void {
    this.#known = new Map();
    this.#every = undefined;
    this.#entered = undefined;
  }

  #learn(key: string): KnownFlag | undefined {
    const reader = new PackedReader(this.#core.get().find(key));
    // Names that nobody has are not remembered: whoever asks for millions of them would fill the memory.
    if (reader.isAtEnd) return undefined;
    const place = reader.count();
    const needs = Array.from({ length: reader.count() }, () => reader.count());
    const [names, values]: [string[], JsonValue[]] = [[], []];
    while (!reader.isAtEnd) {
      names.push(reader.text());
      values.push(reader.value() ?? null);
    }
    const known = { place, names, values, needs: needs.length < this.#attributes.length ? needs : undefined };
    this.#known.set(key, known);
    return known;
  }

  /** @param flag The one that is asked for: who asks for a second is entered with all that is known. */
  #enter(context: FlagContext, flag?: KnownFlag): void {
    const core = this.#core.get();
    if (this.#generation !== this.#core.generation) this.#begin(core);
    if (this.#asksChance && !this.#isSeeded) this.#seed(core);
    // Whatever ends the next line early: nobody is entered then.
    this.#entered = undefined;
    const length = this.#writer.write(this.#attributes, context.known, flag?.needs);
    const isUsable = core.enter(length, this.#asksTime ? Date.now() : 0);
    this.#enteredFor = isUsable && flag?.needs === undefined ? undefined : flag;
    // What nobody can use is no answer for a flag that does not ask for it.
    if (isUsable || flag !== undefined) this.#entered = context;
    this.#enteredInto = core;
    this.#generation = this.#core.generation;
  }

  /** Enters all that is known, or if that cannot be used, what the flag asks for. */
  #enterMore(context: FlagContext, flag: KnownFlag): void {
    this.#enter(context);
    if (this.#entered !== context) this.#enter(context, flag);
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
