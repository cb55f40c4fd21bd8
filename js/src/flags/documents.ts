// Documents of flags outside of any isolate that evaluates them: compiled when they are published, checked, brought from elsewhere.

import { type FlagDocument, refusing, textOf } from "./definitions.ts";
import { FlagsRefusedError } from "./reports.ts";
import { tools } from "./tools.ts";

/** Engines whose documents can be read. */
export type FlagEngine = "unleash" | "flagd" | "growthbook" | "launchdarkly";

/** A document that was compiled. */
export interface CompiledFlags {
  /** What isolates load. */
  readonly snapshot: Uint8Array;
  /** What is worth a warning. */
  readonly warnings: readonly string[];
}

/** A document of another engine, as ours. */
export interface ImportedFlags {
  readonly document: FlagDocument;
  /** What is not as it was there; for all engines but Unleash, that users move. */
  readonly warnings: readonly string[];
}

/**
 * Compiles a document to the snapshot that isolates load.
 *
 * @throws FlagsRefusedError that names all that is wrong.
 */
export function compileFlags(document: FlagDocument | string): CompiledFlags {
  return refusing(() => tools.compile(textOf(document)));
}

/** Checks a document. Without problems, it can be taken; warnings are about what is taken and is probably not meant. */
export function validateFlags(document: FlagDocument | string): {
  problems: readonly string[];
  warnings: readonly string[];
} {
  try {
    return { problems: [], warnings: compileFlags(document).warnings };
  } catch (error) {
    if (!(error instanceof FlagsRefusedError)) throw error;
    return { problems: error.problems, warnings: [] };
  }
}

/**
 * Reads a document of another engine. From Unleash no user moves whose id is ASCII; from others all move once.
 *
 * @param text Its JSON: client features of Unleash or the events of its delta, the flags of flagd, the features of GrowthBook,
 *   all flags and segments of LaunchDarkly.
 * @throws FlagsRefusedError that names all that is wrong.
 */
export function importFlags(from: FlagEngine, text: string): ImportedFlags {
  return refusing(() => tools.import(from, text));
}

/**
 * A document in one form: names in order, and nothing said that would hold anyway. What is equal is equal as text then.
 *
 * @throws FlagsRefusedError that names all that is wrong.
 */
export function exportFlags(document: FlagDocument | string): FlagDocument {
  return refusing(() => tools.export(textOf(document)) as FlagDocument);
}
