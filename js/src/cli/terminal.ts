// Where the command line writes: data to stdout, as JSON unless somebody looks at it; everything else to stderr.

import { createColors } from "picocolors";
import { printable, printableJson } from "./printable.ts";

type Colors = ReturnType<typeof createColors>;

/** What the flags say of it. */
export interface TerminalOptions {
  json?: boolean;
  quiet?: boolean;
  debug?: boolean;
  /** False after `--no-color`. */
  color?: boolean;
}

/** Waiting shorter than this is not told, in milliseconds. */
const PROGRESS_AFTER_MS = 300;

export class Terminal {
  /** Whether programs read stdout. */
  readonly isJson: boolean;
  readonly colors: Colors;
  readonly #errorColors: Colors;
  readonly #isQuiet: boolean;
  readonly #isDebug: boolean;
  #isWaiting = false;

  constructor({ json = false, quiet = false, debug = false, color = true }: TerminalOptions, env = process.env) {
    this.isJson = json || !process.stdout.isTTY;
    this.colors = createColors(!this.isJson && isColored(process.stdout, color, env));
    this.#errorColors = createColors(isColored(process.stderr, color, env));
    this.#isQuiet = quiet;
    this.#isDebug = debug;
  }

  /** Data for people. */
  say(text: string): void {
    process.stdout.write(`${text}\n`);
  }

  /** Data for programs. `isEvent`: one line of many. */
  json(value: unknown, isEvent = false): void {
    process.stdout.write(`${printableJson(value, isEvent ? 0 : 2)}\n`);
  }

  /** What is good to know and no data. */
  note(text: string): void {
    if (!this.#isQuiet) process.stderr.write(`${printable(text)}\n`);
  }

  /** Why it ended; the code is for programs. */
  fail(code: string, message: string): void {
    const { red } = this.#errorColors;
    process.stderr.write(`${red("error")}: ${printable(message)} [${printable(code)}]\n`);
  }

  /** What was asked and answered, for those who want to know. */
  trace(text: string): void {
    if (this.#isDebug) process.stderr.write(`debug: ${printable(text)}\n`);
  }

  /** Tells that something takes its time, where somebody watches. @returns Takes that back. */
  waiting(text: string): () => void {
    if (this.#isQuiet || !process.stderr.isTTY || process.env.TERM === "dumb") return () => {};
    const timer = setTimeout(() => {
      this.#isWaiting = true;
      process.stderr.write(`\r${printable(text)} …`);
    }, PROGRESS_AFTER_MS);
    return () => {
      clearTimeout(timer);
      this.clear();
    };
  }

  /** Takes away what {@link Terminal.waiting} wrote. */
  clear(): void {
    if (this.#isWaiting) process.stderr.write("\r\u001b[K");
    this.#isWaiting = false;
  }
}

/** The flag, then `NO_COLOR`, then `FORCE_COLOR`, then what is there. `CI` says nothing: its logs are files. */
function isColored(
  stream: { isTTY?: boolean },
  flag: boolean,
  { NO_COLOR, FORCE_COLOR, TERM }: NodeJS.ProcessEnv,
): boolean {
  if (!flag || (NO_COLOR ?? "") !== "") return false;
  if ((FORCE_COLOR ?? "") !== "") return FORCE_COLOR !== "0" && FORCE_COLOR !== "false";
  return stream.isTTY === true && TERM !== "dumb";
}
