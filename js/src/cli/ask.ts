// Questions to whoever sits at the terminal: before what cannot be taken back easily. Scripts are never asked.

import { createInterface } from "node:readline";
import { CliError, EXIT } from "./exit.ts";
import { printable } from "./printable.ts";
import type { GlobalFlags } from "./settings.ts";

/** Whether somebody is there to answer, and wants to. */
export function canAsk({ input }: GlobalFlags): boolean {
  return input !== false && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/**
 * Asks whether to go on; Enter means no.
 *
 * @throws CliError when somebody says no, and when nobody can be asked: `--yes` goes on without.
 */
export async function agreed(flags: GlobalFlags, question: string): Promise<void> {
  if (flags.yes === true) return;
  if (!canAsk(flags))
    throw new CliError(EXIT.usage, "CONFIRMATION_MISSING", `${question} Nobody can be asked here: give --yes if so.`);
  const answer = await answered(`${question} [y/N] `);
  if (!/^y(es)?$/i.test(answer)) throw unchanged();
}

/** Asks for `word` to be typed. @throws CliError when something else is. */
export async function typed(question: string, word: string): Promise<void> {
  if ((await answered(`${question} Type ${word} to go on: `)) !== word) throw unchanged();
}

function unchanged(): CliError {
  return new CliError(EXIT.precondition, "NOT_CONFIRMED", "Nothing was changed.");
}

function answered(question: string): Promise<string> {
  // The terminal edits the line itself, and Ctrl-C ends the command as anywhere else.
  const lines = createInterface({ input: process.stdin, output: process.stderr, terminal: false });
  return new Promise<string>((resolve, reject) => {
    lines.on("close", () => reject(unchanged()));
    lines.question(printable(question), (answer) => resolve(answer.trim()));
  }).finally(() => lines.close());
}
