// Files that the command line writes: whole, or not at all.

import { rename, rm, writeFile } from "node:fs/promises";
import { CliError, EXIT } from "./exit.ts";

/** @throws CliError when it cannot be written; what was there is there still. */
export async function put(file: string, content: string | Uint8Array): Promise<void> {
  const fresh = `${file}.${process.pid}.tmp`;
  try {
    await writeFile(fresh, content);
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {});
    const code = (error as NodeJS.ErrnoException).code ?? "it failed";
    throw new CliError(EXIT.precondition, "FILE_NOT_WRITTEN", `${file} cannot be written: ${code}.`);
  }
}
