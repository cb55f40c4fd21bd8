// Settings as they hold, as they change while a client runs, and as a document. The core checks and converts; what is
// here moves its answers about. Twin of src/config/update.rs and document.rs, which the Worker has;
// tests/conformance/documents.json holds both to the same answers.

import { RENAMED, SCHEMA_VERSION } from "./variables.ts";

/** One setting with its value in force. */
export interface EffectiveSetting {
  /** A secret is `"(set)"` or `""`. */
  value: string | number | boolean;
  /** `default`, `option`, or the name of the variable, preset or tier that gave it. */
  source: string;
}

/** One line of the core's answer. */
export interface Row extends EffectiveSetting {
  path: string;
  /** Whether it can change while the client runs. */
  isLive: boolean;
  /** Whether it says where this runs, and so is never exported. */
  isOfPlace: boolean;
  /** Whether nothing in the npm package reads it. */
  isUnread: boolean;
}

/** Plain settings by group and name; some stand outside of any group. */
export type PlainSettings = Record<string, unknown>;

const KIND = "seawall-config";
const SECRET = "(set)";

/** The core's answer, read. */
export function rowsOf(text: string, values: ArrayLike<number>): { rows: Row[]; warnings: string[] } {
  const rows: Row[] = [];
  const warnings: string[] = [];
  for (const line of text.split("\n")) {
    if (line === "") continue;
    if (line.startsWith("!")) {
      warnings.push(line.slice(1));
      continue;
    }
    const [path, shown, source, marks] = line.split("\t") as [string, string, string, string];
    const value = JSON.parse(shown) as string | number | boolean;
    rows.push({
      path,
      // The text shortens numbers.
      value: typeof value === "number" ? (values[rows.length] as number) : value,
      source,
      isLive: marks.includes("l"),
      isOfPlace: marks.includes("p"),
      isUnread: marks.includes("u"),
    });
  }
  return { rows, warnings };
}

/** Settings that are options, under their canonical names. A secret's text is taken from where it was given. */
export function optionsOf(rows: readonly Row[], ...secrets: readonly PlainSettings[]): PlainSettings {
  const options: PlainSettings = {};
  for (const { path, value, source } of rows) {
    if (source !== "option") continue;
    const text = value === SECRET ? secrets.map((from) => at(from, path)).find((it) => it !== undefined) : undefined;
    put(options, path, text ?? value);
  }
  return options;
}

/** @throws Error when a setting differs that only a new client can take. */
export function demandLive(before: readonly Row[], after: readonly Row[]): void {
  const fixed = after.filter((row, index) => !row.isLive && row.value !== before[index]?.value);
  if (fixed.length === 0) return;
  const problems = fixed.map(({ path }) => `${path} cannot change while it runs: it takes a new client`);
  throw new Error(`invalid configuration: ${problems.join("; ")}`);
}

/** Before the name of a tier that gave a value. */
const BY_TIER = "tier ";

/** A document of all that somebody set: keys sorted, without secrets and without what says where it runs. */
export function exported(rows: readonly Row[]): string {
  const settings: PlainSettings = {};
  for (const { path, value, source, isOfPlace } of rows) {
    // What a tier gives follows from the tier, which is in the document.
    if (source === "default" || source.startsWith(BY_TIER)) continue;
    if (!isOfPlace && value !== SECRET) put(settings, path, value);
  }
  const sorted = sortedBy(settings);
  const document = { checksum: checksumOf(sorted), kind: KIND, schemaVersion: SCHEMA_VERSION, settings: sorted };
  return `${JSON.stringify(document, null, 2)}\n`;
}

/**
 * The options in a document of this version or an older one, under the names of this version. Whether they can be used is
 * for the core to say.
 *
 * @throws Error when it is no such document, damaged, or written by a newer release.
 */
export function imported(text: string): PlainSettings {
  const problem = (what: string) => new Error(`invalid configuration: this is no document of settings: ${what}`);
  let document: Record<string, unknown>;
  try {
    document = JSON.parse(text);
  } catch {
    throw problem("it is not JSON");
  }
  if (!isGroup(document)) throw problem("it is no object");
  const { kind, schemaVersion: version, settings, checksum } = document;
  if (kind !== KIND) throw problem(`its kind must be "${KIND}"`);
  if (typeof version !== "number" || !Number.isInteger(version) || version < 1) {
    throw problem("its schemaVersion must be a whole number from 1");
  }
  if (version > SCHEMA_VERSION) {
    throw problem("a newer release wrote it; bring that release here, or export the settings with this one");
  }
  if (!isGroup(settings)) throw problem("its settings must be an object");
  if (checksum !== undefined && checksum !== checksumOf(sortedBy(settings))) {
    throw problem(
      "its checksum is not that of its settings: it was damaged, or changed by hand; who changed it takes the checksum out",
    );
  }
  for (const renamed of RENAMED.slice(version - 1)) {
    for (const [old, now] of renamed) {
      const value = take(settings, old);
      if (value === undefined) continue;
      if (take(settings, now) !== undefined) throw problem(`${old} and ${now} are two names of one setting`);
      put(settings, now, value);
    }
  }
  return settings;
}

/** Whether a value is a plain group of settings. */
export function isGroup(value: unknown): value is PlainSettings {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function at(settings: PlainSettings, path: string): unknown {
  const [group, name] = path.split(".") as [string, string | undefined];
  const found = settings[group];
  if (name === undefined) return found;
  return isGroup(found) ? found[name] : undefined;
}

function put(settings: PlainSettings, path: string, value: unknown): void {
  const [group, name] = path.split(".") as [string, string | undefined];
  if (name === undefined) {
    settings[group] = value;
    return;
  }
  settings[group] ??= {};
  if (isGroup(settings[group])) settings[group][name] = value;
}

function take(settings: PlainSettings, path: string): unknown {
  const value = at(settings, path);
  const [group, name] = path.split(".") as [string, string | undefined];
  if (name === undefined) delete settings[group];
  else if (isGroup(settings[group])) delete settings[group][name];
  return value;
}

function sortedBy(value: unknown): unknown {
  if (!isGroup(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map((key) => [key, sortedBy(value[key])]),
  );
}

/** FNV-1a of the text without spaces, as eight hexadecimal digits. */
function checksumOf(settings: unknown): string {
  let sum = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(JSON.stringify(settings))) sum = Math.imul(sum ^ byte, 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}
