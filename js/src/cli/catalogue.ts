// Every command: its name, its words, what it is for, and how it is used. What it does lies in `commands/`.

import type { Command } from "commander";
import { COMPLETE, complete, completion } from "./commands/completion.ts";
import { configExport } from "./commands/config-export.ts";
import { configShow, type ShowFlags } from "./commands/config-show.ts";
import { configUpdate, type UpdateFlags } from "./commands/config-update.ts";
import { configValidate } from "./commands/config-validate.ts";
import { debugCircuitBreaker } from "./commands/debug-circuit-breaker.ts";
import { debugConnections } from "./commands/debug-connections.ts";
import { debugLogs } from "./commands/debug-logs.ts";
import { debugPerformance } from "./commands/debug-performance.ts";
import { flagsKillswitch, type KillswitchFlags } from "./commands/flags-killswitch.ts";
import { flagsShow } from "./commands/flags-show.ts";
import { flagsSnapshot, type SnapshotFlags } from "./commands/flags-snapshot.ts";
import { flagsSwitch, rolloutOf, type Wish } from "./commands/flags-switch.ts";
import { flagsTypes, type TypesFlags } from "./commands/flags-types.ts";
import { monitorConnections } from "./commands/monitor-connections.ts";
import { type HealthFlags, monitorHealth, WATCH_INTERVAL_MS } from "./commands/monitor-health.ts";
import { monitorMetrics } from "./commands/monitor-metrics.ts";
import { supportBundle } from "./commands/support-bundle.ts";
import { CATEGORIES } from "./metric-categories.ts";
import { milliseconds } from "./milliseconds.ts";
import type { Declare } from "./program.ts";
import type { LocalFlags } from "./setting-orders.ts";

export function declareCommands(declare: Declare, program: Command): void {
  monitor(declare);
  flags(declare);
  config(declare);
  debug(declare);
  declare(
    "support:bundle [folder]",
    "settings, detailed health and flags as three files, for who helps from elsewhere; no secrets",
    ["seawall support:bundle", "seawall support:bundle incident-7"],
    ({ api, terminal }, _, [folder]) => supportBundle(api, terminal, folder),
  );
  completions(declare, program);
}

function completions(declare: Declare, program: Command): void {
  declare(
    "completion <shell>",
    "a script that has bash, zsh or fish complete commands, flags and names",
    ['eval "$(seawall completion bash)"', "seawall completion fish | source"],
    (_, __, [shell = ""]) => completion(shell),
  );
  declare(`${COMPLETE} [words...]`, "what such a script asks", [], ({ api }, _, words) =>
    complete(program, api, words),
  );
}

function monitor(declare: Declare): void {
  declare<HealthFlags>(
    "monitor:health",
    "health, score with what lowered it, and alerts; ends with 1 if not healthy",
    [
      "seawall monitor:health --url https://app.example.com",
      "seawall monitor:health --watch --token-file token.txt",
      "seawall monitor:health --detailed > support-health.json",
    ],
    ({ api, terminal }, flags) => monitorHealth(api(), terminal, flags),
  )
    .option("--detailed", "the whole documents, and the first database closer")
    .option("--watch", "look again and again; on a terminal tell what has changed, else a line of JSON each time")
    .option("--interval <ms>", `between two looks; ${WATCH_INTERVAL_MS}`, milliseconds);
  declare(
    "monitor:metrics [category]",
    `metrics by category: ${CATEGORIES.join(", ")}`,
    ["seawall monitor:metrics performance", "seawall monitor:metrics > metrics.json"],
    ({ api, terminal }, _, [category]) => monitorMetrics(api, terminal, category),
  );
  declare("monitor:connections", "pools and circuits", ["seawall monitor:connections"], ({ api, terminal }) =>
    monitorConnections(api(), terminal),
  );
}

function flags(declare: Declare): void {
  declare(
    "flags:show [flag]",
    "the published flags, Seawall's own layers, and what is turned off at once",
    ["seawall flags:show", "seawall flags:show new-checkout", "seawall flags:show > support-flags.json"],
    ({ api, terminal }, _, [flag]) => flagsShow(api, terminal, flag),
  );
  const one = (command: string, what: string, examples: readonly string[], wishOf: (words: string[]) => Wish) =>
    declare(`flags:${command} [reason]`, what, examples, ({ api, terminal, paused }, flags, words) => {
      const wish = wishOf(words);
      const [flag = ""] = words;
      const reason = words[wish.do === "rollout" ? 2 : 1] || `seawall flags:${wish.do}`;
      return flagsSwitch(api(), terminal, flags, wish, flag, reason, paused);
    });
  one(
    "enable <flag>",
    "turns a flag on: its rules hold, and without rules it is for everybody; also what was killed by name",
    ['seawall flags:enable new-checkout "tested"', "seawall flags:enable FEATURE_NEW_CHECKOUT --dry-run"],
    () => ({ do: "enable" }),
  );
  one(
    "disable <flag>",
    "turns a flag off for everybody, whatever its rules say",
    ['seawall flags:disable new-checkout "troubleshooting"'],
    () => ({ do: "disable" }),
  );
  one(
    "rollout <flag> <percentage>",
    "for how many a flag is on: 0 to 100. Nobody who has it loses it when that is raised",
    ["seawall flags:rollout new-checkout 25"],
    ([, percentage = ""]) => rolloutOf(percentage),
  );
  declare<KillswitchFlags>(
    "flags:killswitch [reason]",
    "turns every flag off at once, and measures when that holds. Scripts are not asked; on a terminal production is",
    [
      'seawall flags:killswitch "checkout fails"',
      'seawall flags:killswitch "checkout fails" --only new-checkout new-search',
      'seawall flags:killswitch --release "mended"',
    ],
    ({ api, terminal, paused }, flags, [reason]) => {
      const why = reason || `seawall flags:killswitch${flags.release === true ? " --release" : ""}`;
      return flagsKillswitch(api(), terminal, flags, why, paused);
    },
  )
    .option("--release", "turn back on what was turned off")
    .option("--only <flags...>", "these flags alone")
    .option("--confirm <environment>", "the environment that is meant; then nobody is asked");
  declare<TypesFlags>(
    "flags:types <file>",
    "a TypeScript type of the flags of a document or snapshot, for createFlags<AppFlags>(); - is stdin",
    ["seawall flags:types flags.json --out src/flags.d.ts", "seawall flags:types - < flags.json"],
    ({ terminal }, flags, [file = ""]) => flagsTypes(terminal, file, flags),
  )
    .option("--out <file>", "where it is written, instead of stdout")
    .option("--name <name>", "what the type is called; AppFlags")
    .option("--wide", "only kinds, no values: for flags that get values which this document has not");
  declare<SnapshotFlags>(
    "flags:snapshot",
    "writes the flags that hold, for a deployment to bundle",
    ["seawall flags:snapshot --out flags.json"],
    ({ api, terminal }, flags) => flagsSnapshot(api, terminal, flags),
  ).option("--out <file>", "a bundle if it ends in .json, with what was killed; else the snapshot as bytes");
}

const LOCAL = ["--local", "what the variables here say, instead of what was ordered; nobody is asked"] as const;

function config(declare: Declare): void {
  declare<ShowFlags>(
    "config:show [component]",
    "the settings that were ordered, over their defaults",
    [
      "seawall config:show connectionPool",
      "seawall config:show --origin",
      "seawall config:show --local circuitBreaker",
    ],
    ({ api, terminal }, flags, [component]) => configShow(api, terminal, flags, component),
  )
    .option("--origin", "who says so; in JSON it is there anyway")
    .option(...LOCAL);
  declare<LocalFlags>(
    "config:validate [file]",
    "all that is wrong with what was ordered, and whether it was taken; ends with 1 if anything is. Or with a file, - is stdin",
    ["seawall config:validate", "seawall config:validate --local", "seawall config:validate support-config.json"],
    ({ api, terminal }, flags, [file]) => configValidate(api, terminal, flags, file),
  ).option(...LOCAL);
  declare<UpdateFlags>(
    "config:update <component> <key> [value]",
    "changes one setting of every isolate while it runs",
    [
      "seawall config:update connectionPool maxConnections 3",
      'seawall config:update circuitBreaker recoveryTimeout 30s --reason "slow to come back"',
      "seawall config:update connectionPool maxConnections --unset",
    ],
    ({ api, terminal }, flags, words) => configUpdate(api, terminal, flags, words),
  )
    .option("--unset", "take back what was ordered")
    .option("--reason <text>", "why, for the audit log");
  declare<LocalFlags>(
    "config:export [format] [file]",
    "what was ordered as a document for version control: sorted, with a checksum, without secrets",
    ["seawall config:export json > support-config.json", "seawall config:export json config-backup.json"],
    ({ api, terminal }, flags, [format, file]) => configExport(api, terminal, flags, format, file),
  ).option(...LOCAL);
}

function debug(declare: Declare): void {
  declare(
    "debug:circuit-breaker [database]",
    "how circuits stand, who holds them, when the next probe is let through, and what went wrong last",
    ["seawall debug:circuit-breaker", "seawall debug:circuit-breaker primary"],
    ({ api, terminal }, _, [database]) => debugCircuitBreaker(api(), terminal, database),
  );
  declare(
    "debug:connections [database]",
    "each connection, and what became of those before",
    ["seawall debug:connections"],
    ({ api, terminal }, _, [database]) => debugConnections(api(), terminal, database),
  );
  declare(
    "debug:performance",
    "below which times 50, 95 and 99 of 100 attempts lie, and the slowest named operations",
    ["seawall debug:performance"],
    ({ api, terminal }) => debugPerformance(api(), terminal),
  );
  declare(
    "debug:logs [level] [hours]",
    "what was recorded, of that level and above; errors of the last hour",
    ["seawall debug:logs error 2", "seawall debug:logs warn 0.5 > warnings.json"],
    ({ api, terminal }, _, [level, hours]) => debugLogs(api, terminal, level, hours),
  );
}
