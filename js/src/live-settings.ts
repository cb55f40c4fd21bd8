// The settings of one driver: as they were given, as they hold, and as they change while it runs.

import {
  demandLive,
  type EffectiveSetting,
  exported,
  imported,
  isGroup,
  optionsOf,
  type PlainSettings,
  type Row,
  rowsOf,
} from "./config/document.ts";
import type { RetryOptions, SeawallOptions, StateOptions } from "./config/options.ts";
import { checkSettings, describeSettings } from "./core.ts";
import type { Platform } from "./platform/platform.ts";
import { plain, type Settings, settingsOf, withHost } from "./settings.ts";
import type { IgnoredSetting } from "./status.ts";
import type { TierName } from "./tenants/tier.ts";
import { TIERS } from "./tenants/tier-table.ts";

/** What holds, and whence. */
export interface EffectiveConfig {
  /** Every setting by its path; those of one group if a group was asked for. */
  settings: Record<string, EffectiveSetting>;
  /** Variables of one setting that differ. */
  warnings: string[];
  /** What is set, and read by nothing here. */
  ignored: IgnoredSetting[];
}

const NO_FILE = "it belongs to a local file; the server of a remote database has its own";
const NOTHING_READS = "nothing in the npm package reads it in this release";

/** Options, and the settings that they make. */
export class LiveSettings {
  #options: SeawallOptions;
  readonly #database: string;
  readonly #platform: Platform;
  readonly #hasConnections: boolean;
  #described: { rows: Row[]; warnings: string[] } | undefined;

  /** @throws Error that names every setting that cannot be used. */
  constructor(options: SeawallOptions, database: string, platform: Platform, hasConnections = false) {
    this.#hasConnections = hasConnections;
    this.#options = options;
    this.#database = database;
    this.#platform = platform;
    checkSettings(this.of());
  }

  /** The options with all changes, for another driver of the same database. */
  get options(): SeawallOptions {
    const { state, ...rest } = this.#options;
    // A patch or a document may say how to share hints where there is no store to share them in.
    return state?.store === undefined ? rest : this.#options;
  }

  /** The tier in force, as an option or what is given from elsewhere says. */
  get tier(): TierName | undefined {
    const { tier, given } = this.#options;
    const name = tier ?? given?.find(([path]) => path === "tier")?.[2];
    return name !== undefined && Object.hasOwn(TIERS, name) ? (name as TierName) : undefined;
  }

  /** The settings, as the core takes them; with another retry policy, or with the breaker turned off or on. */
  of(retry?: RetryOptions, isBreakerOn?: boolean): Settings {
    const options = { ...this.#options };
    const { circuitBreaker } = options;
    if (isBreakerOn !== undefined) options.circuitBreaker = { ...circuitBreaker, enabled: isBreakerOn };
    if (retry !== undefined) {
      const { retry: nested, ...breaker } = options.circuitBreaker ?? {};
      if (nested !== undefined) options.circuitBreaker = breaker;
      options.retry = { ...(options.retry ?? nested), ...retry };
    }
    return settingsOf(options, this.#database, this.#platform, {}, this.#hasConnections);
  }

  /** The options of the shared state with a number for the one span that JavaScript heeds itself. */
  stateOptions(options: StateOptions): StateOptions & { coldReadTimeout?: number } {
    const coldReadTimeout = this.#describe().rows.find(({ path }) => path === "state.coldReadTimeout")?.value;
    return { ...options, coldReadTimeout: Number(coldReadTimeout) };
  }

  /** What holds, of one group or of all. @throws RangeError for a group that there is not. */
  effective(group?: string): EffectiveConfig {
    const { rows, warnings } = this.#describe();
    const chosen = rows.filter(({ path }) => group === undefined || path === group || path.startsWith(`${group}.`));
    if (chosen.length === 0) {
      const groups = [...new Set(rows.map(({ path }) => path.split(".")[0]))].sort();
      throw new RangeError(`The groups of settings are ${groups.join(", ")}, got ${JSON.stringify(group)}`);
    }
    const settings = Object.fromEntries(chosen.map(({ path, value, source }) => [path, { value, source }]));
    return { settings, warnings: [...warnings], ignored: this.ignored() };
  }

  /** What is set, and read by nothing here. */
  ignored(): IgnoredSetting[] {
    return this.#describe()
      .rows.filter(({ source, isUnread }) => isUnread && source !== "default")
      .map(({ path }) => ({
        name: `seawall.${path}`,
        why: path.startsWith("sqlite.") ? NO_FILE : NOTHING_READS,
      }));
  }

  /**
   * Changes some options. What is not named stays.
   *
   * @throws TypeError when the patch is no object; Error that names everything that cannot be used, or cannot change while
   * it runs. Nothing has changed then.
   */
  configure(patch: SeawallOptions): void {
    if (!isGroup(patch)) throw new TypeError("configure() takes an object of settings");
    const over = plain(patch);
    for (const name of ["authToken", "compression", "given"] as const) {
      if (patch[name] !== undefined) {
        throw new Error(`invalid configuration: ${name} cannot change while it runs: it takes a new client`);
      }
    }
    if (
      isGroup(patch.state) &&
      Object.keys(patch.state).some((name) => ["store", "near", "colo", "prefix"].includes(name))
    ) {
      throw new Error(
        "invalid configuration: state's store, near, colo and prefix cannot change while it runs: it takes a new client",
      );
    }
    const after = this.#ask(settingsOf(this.#options, this.#database, this.#platform, over, this.#hasConnections));
    demandLive(this.#describe().rows, after.rows);
    this.#take(withHost(optionsOf(after.rows, over, this.#options as PlainSettings), this.#options), undefined);
  }

  /** The document of what is set. */
  exportConfig(): string {
    return exported(this.#describe().rows);
  }

  /**
   * Takes the options of a document in place of its own.
   *
   * @throws Error when the document cannot be used, or changes what cannot change while it runs. Nothing has changed then.
   */
  importConfig(text: string): void {
    const { environment } = this.#options;
    const own = environment === undefined ? {} : { environment };
    const options = withHost({ ...imported(text), ...own }, this.#options);
    const after = this.#ask(settingsOf(options, this.#database, this.#platform, {}, this.#hasConnections));
    demandLive(this.#describe().rows, after.rows);
    this.#take(options, after);
  }

  #take(options: SeawallOptions, described: { rows: Row[]; warnings: string[] } | undefined): void {
    this.#options = options;
    this.#described = described;
  }

  #describe(): { rows: Row[]; warnings: string[] } {
    this.#described ??= this.#ask(this.of());
    return this.#described;
  }

  #ask(settings: Settings): { rows: Row[]; warnings: string[] } {
    const { text, values } = describeSettings(settings);
    return rowsOf(text, values);
  }
}
