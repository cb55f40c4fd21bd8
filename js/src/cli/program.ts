// The commands, their flags and their help. Colons and spaces are one: `monitor:health` is `monitor health`.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { Api } from "./api.ts";
import { declareCommands } from "./catalogue.ts";
import { COMPLETE } from "./commands/completion.ts";
import { CliError, EXIT, type ExitCode } from "./exit.ts";
import { milliseconds } from "./milliseconds.ts";
import { didYouMean } from "./nearest.ts";
import { endpointOf, type GlobalFlags } from "./settings.ts";
import { Terminal } from "./terminal.ts";

declare const __VERSION__: string;

/** A command that does not watch has ended after so long, in milliseconds. */
const TIMEOUT_DEFAULT_MS = 10_000;

/** What a command is given. */
export interface Run {
  terminal: Terminal;
  /** Whom to ask, until the command has taken too long, or until `signal` says so. @throws CliError when nobody said whom. */
  api(signal?: AbortSignal): Api;
  /** Does something that takes as long as people do: the deadline does not run meanwhile. */
  paused<T>(work: () => Promise<T>): Promise<T>;
}

/** Adds a command: `name` with its words as commander writes them. `flags` are the command's own and those of all. */
export type Declare = <Flags = object>(
  nameAndWords: string,
  what: string,
  examples: readonly string[],
  work: (run: Run, flags: GlobalFlags & Flags, words: string[]) => ExitCode | Promise<ExitCode>,
) => Command;

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
    .option("-y, --yes", "answer yes where it would ask")
    .option("--no-input", "never ask")
    .option("-n, --dry-run", "change nothing, and tell what would be")
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

  const declare: Declare = (nameAndWords, what, examples, work) => {
    const command = program
      .command(nameAndWords, { hidden: nameAndWords.startsWith("__") })
      .description(what)
      .helpOption("-h, --help", "this text");
    EXAMPLES.set(command.name(), examples);
    return command.action(async (...given: unknown[]) => {
      const command = given.at(-1) as Command;
      const flags: Parameters<typeof work>[1] & { watch?: boolean } = command.optsWithGlobals();
      const deadline = new Deadline(flags.timeout ?? (flags.watch === true ? undefined : TIMEOUT_DEFAULT_MS));
      const terminal = new Terminal(flags);
      const run: Run = {
        terminal,
        api: (signal = deadline.signal) => new Api(endpointOf(flags), terminal, signal),
        paused: (work) => deadline.paused(work),
      };
      end(await deadline.within(async () => work(run, flags, command.args)));
    });
  };
  declareCommands(declare, program);
  return program;
}

const CODES = `0 well, 1 not healthy, 2 usage, 3 precondition, 4 token, 5 conflict, 6 nobody answers,
7 rolled back, 124 timeout, 130 interrupted`;

const EXAMPLES = new Map<string, readonly string[]>([
  [
    "seawall",
    [
      "SEAWALL_URL=https://app.example.com seawall monitor:health",
      "seawall monitor:metrics performance --url https://app.example.com > metrics.json",
      'seawall flags:killswitch "checkout fails"',
    ],
  ],
]);

function examplesOf(name: string): string {
  return `Examples:\n${(EXAMPLES.get(name) ?? []).map((line) => `  ${line}\n`).join("")}`;
}

/** Commands for people. What shells ask is none. */
const namesOf = (program: Command) =>
  program.commands.map((command) => command.name()).filter((name) => !name.startsWith("__"));

/** Joins `monitor health` to `monitor:health`: the first two words that are no flags, if the first is a group. */
function joined(args: readonly string[], program: Command): string[] {
  const names = namesOf(program);
  const groups = new Set(names.flatMap((name) => (name.includes(":") ? [name.split(":")[0]] : [])));
  const hasValue = new Set(program.options.filter(({ required }) => required).map(({ long }) => long));
  const words = args.flatMap((arg, index) =>
    arg.startsWith("-") || hasValue.has(args[index - 1] ?? "") ? [] : [index],
  );
  const [first, second] = words;
  const word = args[first ?? -1];
  if (first === undefined || word === undefined) return [...args];
  if (word === COMPLETE) return [...args];
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
  readonly #ms: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #late: Promise<never>;

  constructor(ms: number | undefined) {
    this.#ms = ms;
    this.#late = new Promise((_, reject) => {
      this.#controller.signal.addEventListener("abort", () => reject(this.#controller.signal.reason));
    });
    this.#late.catch(() => {});
    this.#start();
  }

  #start(): void {
    const ms = this.#ms;
    if (ms === undefined) return;
    const message = `There was no answer within ${ms} ms. --timeout gives it more time.`;
    const late = new CliError(EXIT.timeout, "TIMEOUT", message);
    this.#timer = setTimeout(() => this.#controller.abort(late), ms);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Stands still while `work` goes on, and begins anew. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    clearTimeout(this.#timer);
    const result = await work();
    this.#start();
    return result;
  }

  async within<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await Promise.race([work(), this.#late]);
    } finally {
      clearTimeout(this.#timer);
      // What nobody waits for any more does not keep the process.
      this.#controller.abort();
    }
  }
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
