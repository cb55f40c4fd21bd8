// `debug:logs [level] [hours]`: what was recorded, of that level and above.

import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { LEVELS, logsOf } from "../logs.ts";
import { didYouMean } from "../nearest.ts";
import { printable, printableJson } from "../printable.ts";
import type { Terminal } from "../terminal.ts";

const LINES = 200;
/** A year. */
const HOURS_MAX = 8_784;

/** @throws CliError for a level or a time that there is not, before anybody is asked. */
export async function debugLogs(api: () => Api, terminal: Terminal, level = "error", hours = "1"): Promise<ExitCode> {
  if (!LEVELS.includes(level)) {
    const message = `There is no level ${level}: ${LEVELS.join(", ")}.${didYouMean(level, LEVELS)}`;
    throw new CliError(EXIT.usage, "LEVEL_UNKNOWN", message);
  }
  const past = Number(hours);
  if (!/^\d+(\.\d+)?$/.test(hours) || past <= 0 || past > HOURS_MAX) {
    throw new CliError(EXIT.usage, "HOURS_INVALID", `Hours are a number up to ${HOURS_MAX}; it got ${hours}.`);
  }
  const logs = await logsOf(api(), level, past, LINES);
  if (terminal.isJson) terminal.json(logs);
  else {
    const { red, yellow, dim } = terminal.colors;
    for (const { time, level, msg, ...rest } of logs.records) {
      const paint = level === "error" ? red : level === "warn" ? yellow : String;
      terminal.say(
        `${dim(printable(time))} ${paint(printable(level.toUpperCase()))} ${printable(msg)} ${printableJson(rest, 0)}`,
      );
    }
    if (logs.records.length === 0) terminal.say("Nothing was recorded.");
    if (logs.records.length === LINES) terminal.note(`These are the last ${LINES}.`);
  }
  return EXIT.ok;
}
