// `flags:types <file>`: the type that `createFlags` takes, from a document or a snapshot. It asks nobody.

import { readFileSync, writeFileSync } from "node:fs";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import type { Terminal } from "../terminal.ts";

export interface TypesFlags {
  json?: boolean;
  out?: string;
  name?: string;
  wide?: boolean;
}

const STDIN = 0;
/** What a snapshot begins with. */
const MAGIC = "SWFLAGS";

/** @throws CliError for a file that cannot be read or written, and for definitions that are refused. */
export async function flagsTypes(terminal: Terminal, file: string, flags: TypesFlags): Promise<ExitCode> {
  const bytes = attempt("read", file, () => readFileSync(file === "-" ? STDIN : file));
  const isSnapshot = bytes.toString("latin1", 0, MAGIC.length) === MAGIC;
  const definitions = isSnapshot ? new Uint8Array(bytes) : new TextDecoder().decode(bytes);
  // Loaded by this command alone.
  const { FlagsRefusedError, flagTypes } = await import("../../flags/index.ts");
  let types: string;
  try {
    types = flagTypes(definitions, { ...(flags.name && { name: flags.name }), isWide: flags.wide === true });
  } catch (error) {
    if (error instanceof FlagsRefusedError) throw new CliError(EXIT.usage, error.code, error.problems.join("; "));
    if (error instanceof RangeError) throw new CliError(EXIT.usage, "USAGE", `--${error.message}`);
    throw error;
  }
  const { out } = flags;
  if (out !== undefined) {
    attempt("written", out, () => writeFileSync(out, types));
    terminal.note(`${out} is written.`);
  } else if (flags.json === true) {
    terminal.json({ types });
  } else {
    process.stdout.write(types);
  }
  return EXIT.ok;
}

function attempt<T>(what: string, file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, "FILE_UNUSABLE", `${file} cannot be ${what}: ${code ?? "it is no file"}.`);
  }
}
