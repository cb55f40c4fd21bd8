// `flags:show [flag]`: every flag that is published, Seawall's own layers, and what is turned off at once.

import type { Api } from "../api.ts";
import { EXIT, type ExitCode } from "../exit.ts";
import { type Flag, found, namesOf, type Standing, standingOf, words } from "../flag-document.ts";
import { type FlagOrders, flagOrders } from "../flag-orders.ts";
import { printable } from "../printable.ts";
import { table } from "../table.ts";
import type { Terminal } from "../terminal.ts";

interface ShownFlag extends Standing {
  /** Where it is said: by the document, or nowhere, so that settings of the deployment say it. */
  by: "document" | "settings";
  rules: number;
  owner: string | null;
  definition?: Flag;
}

/** @throws CliError for a flag that there is not. */
export async function flagsShow(api: () => Api, terminal: Terminal, asked?: string): Promise<ExitCode> {
  const orders = await flagOrders(api());
  const { flags, kill } = orders;
  const shown = shownOf(orders, asked);
  if (terminal.isJson) {
    terminal.json(documentOf(orders, shown));
    return EXIT.ok;
  }
  const document = flags.value;
  const killed = kill.value ?? {};
  const { bold, dim, green, yellow, red } = terminal.colors;
  if (killed.all === true)
    terminal.say(`${bold(red("EVERY FLAG IS OFF"))}  ${printable(kill.by)}: ${printable(kill.reason)}\n`);
  const paint = { on: green, partly: yellow, off: (text: string) => text };
  terminal.say(
    table([
      ["FLAG", "STATE", "RULES", "OWNER", "SAID BY"],
      ...shown.map(([name, flag]) => [
        name,
        { text: words(name, document, flag), paint: flag.offBy === "kill" ? red : paint[flag.state] },
        flag.rules,
        flag.owner ?? "",
        flag.by,
      ]),
    ]),
  );
  const [, only] = asked === undefined ? [] : (shown[0] ?? []);
  if (only?.definition !== undefined) terminal.say(`\n${printableLines(only.definition)}`);
  terminal.say(
    dim(
      `\nversion ${flags.version}${flags.by === null ? "" : ` by ${printable(flags.by)}: ${printable(flags.reason)}`}`,
    ),
  );
  if (flags.version === 0) terminal.note("Nobody has published flags there: what was deployed with the code holds.");
  return EXIT.ok;
}

/** All of them, for programs. */
export async function flagsReport(api: Api): Promise<object> {
  const orders = await flagOrders(api);
  return documentOf(orders, shownOf(orders));
}

function shownOf({ flags, kill }: FlagOrders, asked?: string): [string, ShownFlag][] {
  const document = flags.value;
  const names = asked === undefined ? namesOf(document) : [found(asked, document)];
  return names.map((name) => {
    const definition = Object.hasOwn(document?.flags ?? {}, name) ? document?.flags?.[name] : undefined;
    const shown: ShownFlag = {
      ...standingOf(name, document, kill.value ?? {}),
      by: definition === undefined ? "settings" : "document",
      rules: definition?.rules?.length ?? 0,
      owner: definition?.owner ?? null,
      ...(asked !== undefined && definition !== undefined && { definition }),
    };
    return [name, shown];
  });
}

function documentOf({ flags, kill }: FlagOrders, shown: [string, ShownFlag][]): object {
  const { version, updatedAt, by, reason, value } = flags;
  const { all = false, flags: killed = [] } = kill.value ?? {};
  const killing = { version: kill.version, updatedAt: kill.updatedAt, by: kill.by, reason: kill.reason };
  return {
    version,
    revision: value?.revision ?? null,
    updatedAt,
    by,
    reason,
    kill: { all, flags: killed, ...killing },
    flags: Object.fromEntries(shown),
  };
}

const printableLines = (value: unknown) => JSON.stringify(value, null, 2).split("\n").map(printable).join("\n");
