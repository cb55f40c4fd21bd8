// The commands, their flags and their help. Colons and spaces are one: `monitor:health` is `monitor health`.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { Api } from "./api.ts";
import { flagsSnapshot, type SnapshotFlags } from "./commands/flags-snapshot.ts";
import { flagsTypes, type TypesFlags } from "./commands/flags-types.ts";
import { monitorConnections } from "./commands/monitor-connections.ts";
import { type HealthFlags, monitorHealth, WATCH_INTERVAL_MS } from "./commands/monitor-health.ts";
import { monitorMetrics } from "./commands/monitor-metrics.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";
import { CATEGORIES } from "./metric-categories.ts";
import { didYouMean } from "./nearest.ts";
import { endpointOf, type GlobalFlags } from "./settings.ts";
import { Terminal } from "./terminal.ts";

declare const __VERSION__: string;

/** A command that does not watch has ended after so long, in milliseconds. */
const TIMEOUT_DEFAULT_MS = 10_000;
const TIMEOUT_MAX_MS = 86_400_000;

/** What a command is given. */
interface Run {
  terminal: Terminal;
  /** @throws CliError when nobody said whom to ask. */
  api(): Api;
}

/** Runs a command line, without the program's own name. Never rejects. */
export async function run(args: readonly string[]): Promise<ExitCode> {
  let ended: ExitCode = EXIT.ok;
  const program = programOf((code) => {
    ended = code;
  });
  try {
    await program.parseAsync(joined(args, program), { from: "user" });
    return ended;
  } catch (error) {
    return told(error, program.opts<GlobalFlags>());
  }
}

function programOf(end: (code: ExitCode) => void): Command {
  const program = new Command("seawall")
    .usage("<command> [options]")
    .description("Looks after the databases of an application that runs Seawall.")
    .option("--url <address>", "the application, or where its routes lie if not below /api [SEAWALL_URL]")
    .option("--token-file <file>", "the admin token, - for stdin [SEAWALL_ADMIN_TOKEN]")
    .option("--profile <name>", "url and tokenFile of profiles.json [SEAWALL_PROFILE]")
    .option("--env <name>", "the same as --profile")
    .option("--timeout <ms>", `give up after so long; ${TIMEOUT_DEFAULT_MS}, and never with --watch`, milliseconds)
    .option("--json", "JSON, also on a terminal; elsewhere it is JSON anyway")
    .option("-y, --yes", "answer yes; nothing of this asks")
    .option("--no-input", "never ask; nothing of this does")
    .option("-n, --dry-run", "change nothing; nothing of this does")
    .option("--quiet", "nothing but data and errors")
    .option("--debug", "tell what is asked and answered")
    .option("--no-color", "no colours [NO_COLOR, FORCE_COLOR]")
    .option("-V, --version", "versions, and whom it would ask")
    .helpOption("-h, --help", "this text")
    .helpCommand(false)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText("beforeAll", ({ command }) => examplesOf(command.name()))
    .addHelpText("afterAll", `\nExit codes: ${CODES}`)
    .showSuggestionAfterError()
    .action((flags: GlobalFlags & { version?: boolean }) => {
      if (flags.version === true) return versions(flags);
      throw new CliError(
        EXIT.usage,
        "NO_COMMAND",
        `Which command? ${namesOf(program).join(", ")}. More: seawall --help`,
      );
    });

  const command = <Flags>(
    nameAndArgs: string,
    what: string,
    work: (run: Run, flags: Flags, words: string[]) => Promise<ExitCode>,
  ) =>
    program
      .command(nameAndArgs)
      .description(what)
      .helpOption("-h, --help", "this text")
      .action(async (...given: unknown[]) => {
        const command = given.at(-1) as Command;
        const flags = command.optsWithGlobals<GlobalFlags & Flags & { watch?: boolean }>();
        const deadline = new Deadline(flags.timeout ?? (flags.watch === true ? undefined : TIMEOUT_DEFAULT_MS));
        const terminal = new Terminal(flags);
        const api = () => new Api(endpointOf(flags), terminal, deadline.signal);
        end(await deadline.within(() => work({ terminal, api }, flags, command.args)));
      });

  command<HealthFlags>(
    "monitor:health",
    "health, score with what lowered it, and alerts; ends with 1 if not healthy",
    ({ api, terminal }, flags) => monitorHealth(api(), terminal, flags),
  )
    .option("--detailed", "the whole documents, and the first database closer")
    .option("--watch", "look again and again; on a terminal tell what has changed, else a line of JSON each time")
    .option("--interval <ms>", `between two looks; ${WATCH_INTERVAL_MS}`, milliseconds);
  command(
    "monitor:metrics [category]",
    `metrics by category: ${CATEGORIES.join(", ")}`,
    ({ api, terminal }, _, [category]) => monitorMetrics(api, terminal, category),
  );
  command("monitor:connections", "pools and circuits", ({ api, terminal }) => monitorConnections(api(), terminal));
  command<TypesFlags>(
    "flags:types <file>",
    "a TypeScript type of the flags of a document or snapshot, for createFlags<AppFlags>(); - is stdin",
    ({ terminal }, flags, [file = ""]) => flagsTypes(terminal, file, flags),
  )
    .option("--out <file>", "where it is written, instead of stdout")
    .option("--name <name>", "what the type is called; AppFlags")
    .option("--wide", "only kinds, no values: for flags that get values which this document has not");
  command<SnapshotFlags>(
    "flags:snapshot",
    "writes the flags that hold, for a deployment to bundle",
    ({ api, terminal }, flags) => flagsSnapshot(api, terminal, flags),
  ).option("--out <file>", "a bundle if it ends in .json, with what was killed; else the snapshot as bytes");
  return program;
}

const CODES = `0 well, 1 not healthy, 2 usage, 3 precondition, 4 token, 5 conflict, 6 nobody answers,
7 rolled back, 124 timeout, 130 interrupted`;

const EXAMPLES: Record<string, readonly string[]> = {
  seawall: [
    "SEAWALL_URL=https://app.example.com seawall monitor:health",
    "seawall monitor:metrics performance --url https://app.example.com > metrics.json",
  ],
  "monitor:health": [
    "seawall monitor:health --url https://app.example.com",
    "seawall monitor:health --watch --token-file token.txt",
    "seawall monitor:health --detailed > support-health.json",
  ],
  "monitor:metrics": ["seawall monitor:metrics performance", "seawall monitor:metrics > metrics.json"],
  "flags:snapshot": ["seawall flags:snapshot --out flags.json"],
  "monitor:connections": ["seawall monitor:connections"],
  "flags:types": ["seawall flags:types flags.json --out src/flags.d.ts", "seawall flags:types - < flags.json"],
};

function examplesOf(name: string): string {
  return `Examples:\n${(EXAMPLES[name] ?? []).map((line) => `  ${line}\n`).join("")}`;
}

const namesOf = (program: Command) => program.commands.map((command) => command.name());

/** Joins `monitor health` to `monitor:health`: the first two words that are no flags, if the first is a group. */
function joined(args: readonly string[], program: Command): string[] {
  const names = namesOf(program);
  const groups = new Set(names.map((name) => name.split(":")[0]));
  const hasValue = new Set(program.options.filter(({ required }) => required).map(({ long }) => long));
  const words = args.flatMap((arg, index) =>
    arg.startsWith("-") || hasValue.has(args[index - 1] ?? "") ? [] : [index],
  );
  const [first, second] = words;
  const word = args[first ?? -1];
  if (first === undefined || word === undefined) return [...args];
  if (!groups.has(word)) return known(word, args, program);
  if (second === undefined) {
    if (args.some((arg) => arg === "--help" || arg === "-h")) return ["--help"];
    const below = names.filter((name) => name.startsWith(`${word}:`));
    throw new CliError(EXIT.usage, "NO_COMMAND", `Which command of ${word}? ${below.join(", ")}`);
  }
  const full = `${word}:${args[second]}`;
  return known(
    full,
    [...args.slice(0, first), full, ...args.slice(first + 1, second), ...args.slice(second + 1)],
    program,
  );
}

/** @returns `args`, if their command is one. */
function known(name: string, args: readonly string[], program: Command): string[] {
  const names = namesOf(program);
  if (names.includes(name)) return [...args];
  const groups = names.map((name) => name.split(":")[0] ?? "");
  const message = `There is no command ${name}.${didYouMean(name, [...names, ...groups])} All: ${names.join(", ")}`;
  throw new CliError(EXIT.usage, "COMMAND_UNKNOWN", message);
}

/** Ends a command that takes too long. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #late: Promise<never>;

  constructor(ms: number | undefined) {
    this.#late = new Promise((_, reject) => {
      this.#controller.signal.addEventListener("abort", () => reject(this.#controller.signal.reason));
    });
    this.#late.catch(() => {});
    if (ms !== undefined) {
      const late = new CliError(
        EXIT.timeout,
        "TIMEOUT",
        `There was no answer within ${ms} ms. --timeout gives it more time.`,
      );
      this.#timer = setTimeout(() => this.#controller.abort(late), ms);
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async within<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await Promise.race([work(), this.#late]);
    } finally {
      clearTimeout(this.#timer);
    }
  }
}

function milliseconds(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= 1 && ms <= TIMEOUT_MAX_MS) return ms;
  throw new InvalidArgumentError(`It is 1 to ${TIMEOUT_MAX_MS} milliseconds.`);
}

function versions(flags: GlobalFlags): void {
  const core = readFileSync(new URL("./core.wasm", import.meta.url));
  const known = {
    seawall: __VERSION__,
    core: `sha256:${createHash("sha256").update(core).digest("hex")}`,
    node: process.versions.node,
    endpoint:
      flags.url === undefined && !process.env.SEAWALL_URL && !(flags.profile ?? flags.env)
        ? null
        : endpointOf(flags).base,
  };
  const terminal = new Terminal(flags);
  if (terminal.isJson) terminal.json(known);
  else
    terminal.say(
      Object.entries(known)
        .map(([name, value]) => `${name.padEnd(9)} ${value ?? "none is set"}`)
        .join("\n"),
    );
}

/** Tells why it ended, and with which code. */
function told(error: unknown, flags: GlobalFlags): ExitCode {
  const terminal = new Terminal(flags);
  terminal.clear();
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.ok;
    return said(new CliError(EXIT.usage, "USAGE", error.message.replace(/^error: /, "").replace("\n", " ")), terminal);
  }
  if (error instanceof CliError) return said(error, terminal);
  terminal.trace(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return said(
    new CliError(EXIT.unhealthy, "INTERNAL_ERROR", "This is a defect of the command line. --debug tells where."),
    terminal,
  );
}

function said({ exit, code, message }: CliError, terminal: Terminal): ExitCode {
  terminal.fail(code, message);
  return exit;
}
