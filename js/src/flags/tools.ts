// What reads documents, and says why: a wasm module of its own, which has no instance before somebody asks it.

import { WasmInstance } from "../wasm-instance.ts";
import * as wasm from "./tools/generated/flag-tools.js";

const instance = new WasmInstance(wasm.__wbg_reset_state, true);

/** What flags need of the tools; without them they load snapshots alone. */
export type FlagTools = typeof tools;

export const tools = {
  /** @throws Error that names all that is wrong, a line each. */
  compile(document: string): { snapshot: Uint8Array; warnings: string[] } {
    return ask(() => {
      const compiled = wasm.compile(document);
      const found = { snapshot: compiled.snapshot, warnings: JSON.parse(compiled.warnings) as string[] };
      compiled.free();
      return found;
    });
  },

  export: (document: string): unknown => JSON.parse(ask(() => wasm.exportDocument(document))),

  orderIn: (...asked: Parameters<typeof wasm.orderIn>): string => ask(() => wasm.orderIn(...asked)),

  orderMarks: (head: string): string => ask(() => wasm.orderMarks(head)),

  import: (from: string, text: string): { document: Record<string, unknown>; warnings: string[] } =>
    JSON.parse(ask(() => wasm.importDocument(from, text))),

  explain: (...asked: Parameters<typeof wasm.explain>): unknown => JSON.parse(ask(() => wasm.explain(...asked))),

  sampleRatio: (...asked: Parameters<typeof wasm.sampleRatio>): unknown =>
    JSON.parse(ask(() => wasm.sampleRatio(...asked))),

  mismatches: (...asked: Parameters<typeof wasm.mismatches>): unknown =>
    JSON.parse(ask(() => wasm.mismatches(...asked))),

  whoMoves: (...asked: Parameters<typeof wasm.whoMoves>): unknown => JSON.parse(ask(() => wasm.whoMoves(...asked))),
};

/** Asks, and once more if the instance has died: the tools keep nothing, so that any instance answers alike. */
function ask<T>(what: () => T): T {
  instance.ready();
  const bornIn = instance.generation;
  try {
    return what();
  } catch (error) {
    if (!instance.failed(error, bornIn)) throw error;
  }
  instance.ready();
  try {
    return what();
  } catch (error) {
    if (!instance.failed(error, bornIn + 1)) throw error;
    throw new Error("What reads flags has failed twice, and was restarted", { cause: error });
  }
}
