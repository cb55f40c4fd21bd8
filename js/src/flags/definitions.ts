// What flags are made of: a document, a snapshot of one, or a bundle.

import { type FlagBundle, isBundle, readBundle } from "./bundle.ts";
import { FlagsRefusedError } from "./reports.ts";

/** A document of flags: see docs/flags.md, and docs/flags.schema.json for editors. */
export type FlagDocument = { readonly [member: string]: unknown };

/** Flags as bytes, as `compileFlags`, `flags.snapshot()` and the monitor make them. */
export type FlagSnapshot = Uint8Array | ArrayBuffer;

/** A document, the same as JSON, a snapshot that was made of one, or what `flags.bundle()` gave. */
export type FlagDefinitions = FlagDocument | string | FlagSnapshot | FlagBundle;

/** Whether definitions are bytes. */
export function isSnapshot(definitions: FlagDefinitions | undefined): definitions is FlagSnapshot {
  return definitions instanceof Uint8Array || definitions instanceof ArrayBuffer;
}

/** The document in definitions, if they are one. */
export function documentIn(definitions: FlagDefinitions | undefined): FlagDocument | string | undefined {
  return isSnapshot(definitions) || isBundle(definitions) ? undefined : definitions;
}

/** The text of a document. */
export function textOf(document: FlagDocument | string): string {
  return typeof document === "string" ? document : JSON.stringify(document);
}

/** What the core takes. */
export interface Loadable {
  readonly snapshot: Uint8Array;
  readonly warnings: readonly string[];
  /** When they were known to be current, in milliseconds since the epoch, where they say so. */
  readonly confirmedAt?: number;
}

/** What compiles documents. Its own types are those of its wasm, which nobody who imports this package has. */
interface Compiler {
  compile(document: string): Loadable;
}

/**
 * Definitions as the core takes them.
 *
 * @param tools Without them, documents are refused.
 */
export function loadable(definitions: FlagDefinitions, tools: Compiler | undefined): Loadable {
  if (isBundle(definitions)) {
    const { definitions: snapshot, takenAtMs: confirmedAt } = readBundle(definitions);
    return { snapshot, warnings: [], confirmedAt };
  }
  // A copy: what holds is loaded again when the core has trapped, and is the caller's to change otherwise.
  if (isSnapshot(definitions)) {
    const bytes = definitions instanceof ArrayBuffer ? definitions.slice(0) : definitions;
    return { snapshot: new Uint8Array(bytes), warnings: [] };
  }
  if (tools === undefined) throw new Error("seawall/flags/snapshot takes snapshots alone; seawall/flags, documents");
  return tools.compile(textOf(definitions));
}

/** Whatever it throws says that flags were refused. */
export function refusing<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new FlagsRefusedError(error);
  }
}
