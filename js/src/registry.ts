// Databases by name: each with policies of its own, those of one type with settings in common.

import { type Config, createClient, type SeawallClient } from "./client.ts";
import { isGroup } from "./config/document.ts";
import type { SeawallOptions } from "./config/options.ts";
import { type Controls, controlsOf } from "./controls.ts";
import type { DatabaseType } from "./protect/profiles.ts";
import { controlsOfProtected, guardOf, type ProtectOptions, protectBy } from "./protect/protect.ts";
import type { Status } from "./status.ts";

/** Settings that databases can have in common. */
export type SharedOptions = Omit<SeawallOptions, "authToken" | "compression" | "busyTimeout">;

/** Settings of all databases, and of those of one type, which win. */
export interface RegistryOptions extends SharedOptions {
  byType?: Partial<Record<DatabaseType, SharedOptions>>;
}

/** One database of a registry. */
export interface RegistryEntry {
  name: string;
  type: DatabaseType;
  controls: Controls;
}

/** More names than this are no databases any more. */
const ENTRIES_MAX = 1_000;

/** Databases by name. An open circuit of one changes nothing for another, whether of the same type or not. */
export class Registry {
  readonly #options: RegistryOptions;
  readonly #entries = new Map<string, RegistryEntry & { made: object }>();

  constructor(options: RegistryOptions = {}) {
    this.#options = options;
  }

  /**
   * Opens a libSQL client, with the settings of its type under its own.
   *
   * @throws RangeError when the name is taken, or at the 1,001st name.
   */
  createClient(config: Config & { name?: string; type?: DatabaseType }): SeawallClient {
    const { name = "libsql", type = "libsql", ...rest } = config;
    this.#checkNew(name);
    const client = createClient({ ...rest, seawall: merged(this.#settingsOf(type), rest.seawall ?? {}) });
    this.#add({ name, type, controls: client.seawall, made: client });
    return client;
  }

  /**
   * Protects a client of any kind, with the settings of its type under its own. See {@link protect}.
   *
   * @throws RangeError when the name is taken, or at the 1,001st name.
   */
  protect<T extends object>(target: T, options: ProtectOptions = {}): T {
    const { type = "other", name = type } = options;
    this.#checkNew(name);
    const { methods, unguarded, chains, repeatable, isFailure, name: _name, type: _type, ...own } = options;
    const guard = guardOf(merged(this.#settingsOf(type), own), name);
    const made = protectBy(target, options, guard);
    this.#add({ name, type, controls: controlsOfProtected(made) ?? controlsOf(() => guard), made });
    return made;
  }

  /** The database of this name. */
  get(name: string): RegistryEntry | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? undefined : { name: entry.name, type: entry.type, controls: entry.controls };
  }

  /** All databases, in the order in which they were made; of one type, if it is named. */
  list(type?: DatabaseType): RegistryEntry[] {
    const all = [...this.#entries.values()].map(({ name, type, controls }) => ({ name, type, controls }));
    return type === undefined ? all : all.filter((entry) => entry.type === type);
  }

  /** State and counters of each database, by name. */
  status(): Record<string, Status & { type: DatabaseType }> {
    return Object.fromEntries(this.list().map(({ name, type, controls }) => [name, { type, ...controls.status() }]));
  }

  /** Forgets a database, so that its name is free. It works on as it is. */
  forget(name: string): void {
    this.#entries.delete(name);
  }

  #settingsOf(type: DatabaseType): SharedOptions {
    const { byType, ...common } = this.#options;
    const own = byType !== undefined && Object.hasOwn(byType, type) ? byType[type] : undefined;
    return merged(common, own ?? {});
  }

  #checkNew(name: string): void {
    if (this.#entries.has(name)) throw new RangeError(`There is a database named ${JSON.stringify(name)} already`);
    if (this.#entries.size >= ENTRIES_MAX) throw new RangeError(`A registry holds at most ${ENTRIES_MAX} databases`);
  }

  #add(entry: RegistryEntry & { made: object }): void {
    this.#entries.set(entry.name, entry);
  }
}

/** Settings of `over` where there are any, setting by setting. */
function merged<Over extends SeawallOptions>(under: SharedOptions, over: Over): SharedOptions & Over {
  const both = { ...under, ...over } as Record<string, unknown>;
  for (const [group, members] of Object.entries(under)) {
    if (isGroup(members) && isGroup(both[group])) both[group] = { ...members, ...both[group] };
  }
  return both as SharedOptions & Over;
}
