// What could stand next on a command line that is being typed. The shells' own scripts ask for it by `seawall __complete`.

import type { Command } from "commander";
import { FORMATS } from "./commands/config-export.ts";
import { SCRIPTS } from "./completion-scripts.ts";
import { LEVELS } from "./logs.ts";
import { CATEGORIES } from "./metric-categories.ts";
import { COMPONENTS, choicesOf, keysOf } from "./setting-names.ts";
import { ENVIRONMENTS } from "./settings.ts";

/** One candidate, and what it is for, if that is known. */
export interface Candidate {
  word: string;
  what: string;
}

/** Tells the names of the flags that are published; none where nobody tells. */
export type FlagNames = () => Promise<readonly string[]>;

const PERCENTAGES = ["0", "5", "25", "50", "75", "100"];
/** What stands behind options, where that is a list; behind others the shell completes files. */
const VALUES: Readonly<Record<string, readonly string[]>> = { "--confirm": ENVIRONMENTS };

/** What stands for words of commands, by place. */
const WORDS: Readonly<Record<string, (before: readonly string[], flags: FlagNames) => Promise<readonly string[]>>> = {
  "monitor:metrics": async (before) => (before.length === 0 ? CATEGORIES : []),
  "config:show": async (before) => (before.length === 0 ? COMPONENTS : []),
  "config:update": async ([component, key, ...more]) => {
    if (component === undefined) return COMPONENTS;
    if (key === undefined) return keysOf(component);
    return more.length === 0 ? choicesOf(component, key) : [];
  },
  "config:export": async (before) => (before.length === 0 ? FORMATS : []),
  "flags:show": async (before, flags) => (before.length === 0 ? flags() : []),
  "flags:enable": async (before, flags) => (before.length === 0 ? flags() : []),
  "flags:disable": async (before, flags) => (before.length === 0 ? flags() : []),
  "flags:rollout": async ([flag, ...more], flags) =>
    flag === undefined ? flags() : more.length === 0 ? PERCENTAGES : [],
  "debug:logs": async (before) => (before.length === 0 ? LEVELS : []),
  completion: async (before) => (before.length === 0 ? Object.keys(SCRIPTS) : []),
};

/**
 * What can stand in the place of the last word, which may be empty.
 *
 * @param words What stands behind the program's name so far.
 */
export async function completed(program: Command, words: readonly string[], flags: FlagNames): Promise<Candidate[]> {
  const last = words.at(-1) ?? "";
  const options = valued([program, ...program.commands].flatMap(({ options }) => options));
  const before = words.slice(0, -1);
  const asked = before.map((word) => word.startsWith("-")).lastIndexOf(true);
  const option = before[asked] ?? "";
  if (option === "--only") return starting(last, await flags());
  if (asked >= 0 && asked === before.length - 1 && options.has(option)) return starting(last, VALUES[option] ?? []);
  const plain = before.filter((word, at) => !word.startsWith("-") && !options.has(before[at - 1] ?? ""));
  const { command, rest } = commandOf(program, plain);
  if (last.startsWith("-")) {
    const known = [...(command?.options ?? []), ...program.options];
    return known.flatMap(({ long, description }) =>
      long?.startsWith(last) ? [{ word: long, what: description }] : [],
    );
  }
  if (command === undefined) return commandsAfter(program, plain).filter(({ word }) => word.startsWith(last));
  return starting(last, (await WORDS[command.name()]?.(rest, flags)) ?? []);
}

const starting = (last: string, words: readonly string[]): Candidate[] =>
  words.flatMap((word) => (word.startsWith(last) ? [{ word, what: "" }] : []));

/** Options that something stands behind. */
function valued(options: readonly { long?: string | undefined; required: boolean }[]): Set<string> {
  return new Set(options.flatMap(({ long, required }) => (required && long !== undefined ? [long] : [])));
}

/** The command of these words, spelt with a colon or with a space, and the words behind it. */
function commandOf(program: Command, words: readonly string[]): { command?: Command; rest: readonly string[] } {
  const named = (name: string) => program.commands.find((command) => command.name() === name);
  const [first = "", second = "", ...rest] = words;
  const command = named(first);
  if (command !== undefined) return { command, rest: words.slice(1) };
  const spaced = named(`${first}:${second}`);
  return spaced === undefined ? { rest: words } : { command: spaced, rest };
}

/** Commands; behind the word of a group those of the group, without it. */
function commandsAfter(program: Command, words: readonly string[]): Candidate[] {
  const all = program.commands.map((command) => ({ word: command.name(), what: command.description() }));
  const shown = all.filter(({ word }) => !word.startsWith("__"));
  const [group] = words;
  if (group === undefined) return shown;
  if (words.length > 1) return [];
  return shown.flatMap(({ word, what }) =>
    word.startsWith(`${group}:`) ? [{ word: word.slice(group.length + 1), what }] : [],
  );
}
