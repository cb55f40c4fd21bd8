// `completion <shell>`, and what its scripts ask: `__complete -- <words>`.

import type { Command } from "commander";
import type { Api } from "../api.ts";
import { completed, type FlagNames } from "../completion.ts";
import { SCRIPTS } from "../completion-scripts.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { namesOf } from "../flag-document.ts";
import { flagOrders } from "../flag-orders.ts";
import { didYouMean } from "../nearest.ts";
import { printable } from "../printable.ts";

/** The command that shells ask. */
export const COMPLETE = "__complete";

/** Whoever presses Tab waits so long for names of flags, in milliseconds. */
const PATIENCE_MS = 1_000;

/** @throws CliError for a shell that there is no script for. */
export function completion(shell: string): ExitCode {
  if (!Object.hasOwn(SCRIPTS, shell)) {
    const shells = Object.keys(SCRIPTS);
    const message = `There is no completion for ${shell}: for ${shells.join(", ")} there is.${didYouMean(shell, shells)}`;
    throw new CliError(EXIT.usage, "SHELL_UNKNOWN", message);
  }
  process.stdout.write(SCRIPTS[shell] ?? "");
  return EXIT.ok;
}

/** Candidates, one in a line, each with what it is for behind a tab. Nothing that fails is told: somebody is typing. */
export async function complete(
  program: Command,
  api: (signal: AbortSignal) => Api,
  words: readonly string[],
): Promise<ExitCode> {
  const flags: FlagNames = async () => {
    const asked = async () => (await flagOrders(api(AbortSignal.timeout(PATIENCE_MS)))).flags.value;
    return namesOf(await asked().catch(() => null));
  };
  const found = await completed(program, words, flags);
  for (const { word, what } of found) process.stdout.write(`${printable(word)}\t${printable(what)}\n`);
  return EXIT.ok;
}
