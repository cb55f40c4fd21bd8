// `config:validate [file]`: all that is wrong with settings: with what was ordered and whether it was taken there, with a file, or with
// the variables here.

import { readFileSync } from "node:fs";
import { imported } from "../../config/document.ts";
import { SETTINGS } from "../../config/list.ts";
import type { Overview } from "../../monitor/documents.ts";
import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { printable } from "../printable.ts";
import { checked, isSaid, type LocalFlags, type Settings, said } from "../setting-orders.ts";
import type { Terminal } from "../terminal.ts";

const STDIN = 0;
const FILE_MAX = 1 << 20;

/** @returns 0 when nothing is wrong, else 1. */
export async function configValidate(
  api: () => Api,
  terminal: Terminal,
  flags: LocalFlags,
  file?: string,
): Promise<ExitCode> {
  const found = file === undefined ? await standing(api, flags) : await filed(file);
  const isValid = found.problems.length === 0;
  if (terminal.isJson) terminal.json({ valid: isValid, ...found });
  else {
    const { green, red, yellow, bold } = terminal.colors;
    terminal.say(`${bold(isValid ? green("valid") : red("invalid"))}: ${printable(found.of)}`);
    for (const problem of found.problems) terminal.say(`${red("problem")} ${printable(problem)}`);
    for (const warning of found.warnings) terminal.say(`${yellow("warning")} ${printable(warning)}`);
  }
  return isValid ? EXIT.ok : EXIT.unhealthy;
}

interface Found {
  /** What was looked at. */
  of: string;
  problems: string[];
  warnings: string[];
}

async function standing(api: () => Api, flags: LocalFlags): Promise<Found> {
  const { order, options } = await said(api, flags);
  const result = await checked(options);
  const problems = Array.isArray(result) ? result : [];
  const warnings = Array.isArray(result) ? [] : result.config.warnings;
  if (order === undefined) return { of: "the variables here", problems, warnings };
  const of =
    order.version === 0 ? "no settings are ordered" : `the settings that were ordered, version ${order.version}`;
  const { follow, orders } = await api().document<Overview>("/status");
  if (follow.problem !== undefined) problems.push(`the deployment says: ${follow.problem}`);
  const seen = orders.config?.version ?? 0;
  if (seen < order.version) warnings.push(`the deployment has seen version ${seen} so far`);
  const how = "cannot change while it runs: take it out of the order, and set it in the deployment";
  for (const setting of SETTINGS) {
    if (!setting.isLive && isSaid(order.value, setting)) problems.push(`${setting.path} ${how}`);
  }
  return { of, problems, warnings };
}

async function filed(file: string): Promise<Found> {
  const text = read(file);
  let settings: Settings;
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== "object" || document === null || Array.isArray(document))
      throw new Error("it is no object");
    settings = "kind" in document ? imported(text) : (document as Settings);
  } catch (error) {
    const message = error instanceof SyntaxError ? "it is no JSON" : (error as Error).message;
    return { of: file, problems: [message.replace(/^invalid configuration: /, "")], warnings: [] };
  }
  const result = await checked(settings);
  if (Array.isArray(result)) return { of: file, problems: result, warnings: [] };
  return { of: file, problems: [], warnings: result.config.warnings };
}

function read(file: string): string {
  let text: string;
  try {
    text = readFileSync(file === "-" ? STDIN : file, "utf8");
  } catch (error) {
    const { code = "it is no file" } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.usage, "FILE_UNUSABLE", `${file} cannot be read: ${code}.`);
  }
  if (text.length <= FILE_MAX) return text;
  throw new CliError(EXIT.usage, "FILE_UNUSABLE", `${file} is longer than ${FILE_MAX} characters.`);
}
