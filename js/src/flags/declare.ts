// `flagTypes`: the keys of a document and what they can be, as a type for the compiler.

import { isBundle, readBundle } from "./bundle.ts";
import type { JsonValue } from "./context.ts";
import { type FlagDefinitions, isSnapshot, refusing, textOf } from "./definitions.ts";
import { Engine } from "./engine.ts";
import { tools } from "./tools.ts";

export interface FlagTypesOptions {
  /** What the type is called. Default: `AppFlags`. */
  readonly name?: string;
  /** Only what kind a value is, and any name of a variant: for flags that get values which no document at hand has. */
  readonly isWide?: boolean;
}

/** Longer texts, and more values, are told as their kind: nobody completes them in an editor. */
const TEXT_MAX = 200;
const VALUES_MAX = 100;
/** How deep the shape of JSON is told. */
const DEPTH_MAX = 6;

/**
 * Writes the type that `createFlags<AppFlags>()` takes: a TypeScript module with each key, the values that it can have and the names of
 * its variants. Whatever is in a key is quoted.
 *
 * @throws FlagsRefusedError for definitions that cannot be taken; RangeError for a name that no type can have.
 */
export function flagTypes(definitions: FlagDefinitions, options: FlagTypesOptions = {}): string {
  const { name = "AppFlags", isWide = false } = options;
  if (!/^[A-Za-z_$][\w$]*$/.test(name)) throw new RangeError(`name: ${quoted(name.slice(0, 64))} is no name of a type`);
  const engine = new Engine();
  refusing(() => {
    engine.take({ ...engine.edition, snapshot: snapshotOf(definitions) });
  });
  const lines = engine.keys().map((key) => {
    const { names = [], values = [] } = engine.flag(key) ?? {};
    const value = union(
      values.map((one) => (isWide ? kindOf(one) : literal(one))),
      () => union(values.map(kindOf)),
    );
    const variant = isWide ? "string" : union(names.map(quoted), () => "string");
    return `  readonly ${quoted(key)}: { readonly value: ${value}; readonly variant: ${variant} };\n`;
  });
  return `// Written by flagTypes of seawall/flags from revision ${engine.revision}. Write it again when the flags have changed.\n
export type ${name} = {\n${lines.join("")}};\n`;
}

function snapshotOf(definitions: FlagDefinitions): Uint8Array {
  if (isBundle(definitions)) return readBundle(definitions).definitions;
  if (isSnapshot(definitions)) return new Uint8Array(definitions.slice(0));
  return tools.compile(textOf(definitions)).snapshot;
}

/** Each of them once; `otherwise` where there are too many. */
function union(types: readonly string[], otherwise: () => string = () => "unknown"): string {
  const different = [...new Set(types)];
  if (different.length > VALUES_MAX) return otherwise();
  return different.length === 0 ? "never" : different.join(" | ");
}

/** What a value is, exactly; of JSON its shape. */
function literal(value: JsonValue): string {
  if (typeof value === "string") return value.length > TEXT_MAX ? "string" : quoted(value);
  if (typeof value === "number") return String(value);
  return kindOf(value);
}

function kindOf(value: JsonValue): string {
  return typeof value === "object" ? shapeOf(value, 1) : typeof value;
}

function shapeOf(value: JsonValue, depth: number): string {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  if (depth > DEPTH_MAX) return "unknown";
  if (Array.isArray(value)) {
    return `readonly (${union(value.map((one) => shapeOf(one, depth + 1)))})[]`;
  }
  const members = Object.entries(value).map(([name, one]) => `readonly ${quoted(name)}: ${shapeOf(one, depth + 1)}`);
  if (members.length === 0) return "Readonly<Record<string, never>>";
  return members.length > VALUES_MAX ? "Readonly<Record<string, unknown>>" : `{ ${members.join("; ")} }`;
}

/** A literal in the source: what cannot be seen, or turns the direction of writing around, is escaped. */
function quoted(text: string): string {
  const escaped = (found: string) =>
    Array.from({ length: found.length }, (_, at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`).join(
      "",
    );
  return JSON.stringify(text).replace(/[\p{C}\p{Zl}\p{Zp}]/gu, escaped);
}
