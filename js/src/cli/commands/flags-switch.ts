// `flags:enable`, `flags:disable` and `flags:rollout`: one flag changes in the published document, if nobody else has changed that
// since it was read.

import type { Api } from "../api.ts";
import { agreed } from "../ask.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import {
  disabled,
  enabled,
  type FlagDocument,
  found,
  type Kill,
  rolledOut,
  standingOf,
  words,
} from "../flag-document.ts";
import { type FlagOrders, flagOrders } from "../flag-orders.ts";
import type { GlobalFlags } from "../settings.ts";
import type { Terminal } from "../terminal.ts";

/** What is wanted of a flag. */
export type Wish = { do: "enable" } | { do: "disable" } | { do: "rollout"; percent: number };

/** Steps of a rollout by hand, in percent. */
const STEPS = [5, 25, 50, 75, 100];

/** @throws CliError before anybody is asked, for anything but a whole number from 0 to 100. */
export function rolloutOf(percentage: string): Wish {
  const percent = Number(percentage);
  if (/^\d{1,3}$/.test(percentage) && percent <= 100) return { do: "rollout", percent };
  const message = `A percentage is a whole number from 0 to 100; it got ${percentage}.`;
  throw new CliError(EXIT.usage, "PERCENTAGE_INVALID", message);
}

/** @throws CliError for a flag that there is not, and when somebody else changed the flags meanwhile. */
export async function flagsSwitch(
  api: Api,
  terminal: Terminal,
  flags: GlobalFlags,
  wish: Wish,
  asked: string,
  why: string,
  paused: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<ExitCode> {
  const before = await flagOrders(api);
  const name = found(asked, before.flags.value);
  const from = standing(name, before);
  const plan = planned(name, before, wish);
  const to = standing(name, plan);
  const document = plan.flags.value;
  const isDry = flags.dryRun === true;
  const isChanged = plan.writesFlags || plan.writesKill;
  if (isChanged && !isDry) {
    if (plan.writesFlags && before.flags.version === 0) {
      const question =
        "Nobody has published flags there. What is published takes the place of all flags that were deployed with the code.";
      await paused(() => agreed(flags, question));
    }
    if (plan.writesFlags && document !== null)
      plan.flags = await api.replace("flags", before.flags.version, document, why);
    if (plan.writesKill)
      plan.kill = await api.write("POST", wish.do === "disable" ? "/kill" : "/kill/release", {
        flags: [name],
        reason: why,
      });
  }
  const next = nextOf(name, wish);
  if (terminal.isJson) {
    const versions = { flags: plan.flags.version, kill: plan.kill.version };
    terminal.json({ flag: name, changed: isChanged, dryRun: isDry, from, to, versions, reason: why, next });
    return EXIT.ok;
  }
  const { bold } = terminal.colors;
  if (!isChanged) terminal.say(`${bold(name)} is ${from.words} already.`);
  else terminal.say(`${bold(name)}: ${from.words} → ${bold(to.words)}${isDry ? ", if it were done" : ""}`);
  if (wish.do === "rollout" && to.offBy !== null) terminal.note(`It stays off until: seawall flags:enable ${name}`);
  else terminal.note(`Next: ${next}`);
  return EXIT.ok;
}

interface Plan extends FlagOrders {
  writesFlags: boolean;
  writesKill: boolean;
}

/** @throws CliError when one flag cannot be turned on because all are off. */
function planned(name: string, { flags, kill }: FlagOrders, wish: Wish): Plan {
  const document: FlagDocument = flags.value ?? { version: 1, flags: {} };
  const plan = (changed: FlagDocument): Plan => {
    const writesFlags = JSON.stringify(changed) !== JSON.stringify(flags.value);
    return { flags: writesFlags ? { ...flags, value: changed } : flags, kill, writesFlags, writesKill: false };
  };
  if (wish.do === "rollout") return plan(rolledOut(name, document, wish.percent));
  if (wish.do === "disable") {
    if (flags.value !== null) return plan(disabled(name, document));
    // A first document would take the place of all that was deployed, for one flag that is to be off.
    if (kill.value?.flags?.includes(name)) return { flags, kill, writesFlags: false, writesKill: false };
    const killed: Kill = { ...kill.value, flags: [...(kill.value?.flags ?? []), name] };
    return { flags, kill: { ...kill, value: killed }, writesFlags: false, writesKill: true };
  }
  if (kill.value?.all === true || document.kill === "all") {
    const how =
      kill.value?.all === true ? "seawall flags:killswitch --release" : 'publish a document without "kill": "all"';
    throw new CliError(
      EXIT.precondition,
      "ALL_KILLED",
      `Every flag is turned off, so ${name} would stay off. First: ${how}`,
    );
  }
  const killed = kill.value?.flags ?? [];
  const isKilled = killed.includes(name);
  const released = { ...kill, value: { ...kill.value, flags: killed.filter((other) => other !== name) } };
  const changed = plan(enabled(name, document));
  // What only the kill switch turned off needs no document.
  const isKillAlone = isKilled && flags.value === null;
  const base = isKillAlone ? { flags, kill, writesFlags: false } : changed;
  return { ...base, kill: isKilled ? released : kill, writesKill: isKilled };
}

function standing(name: string, { flags, kill }: FlagOrders) {
  const stands = standingOf(name, flags.value, kill.value ?? {});
  return { ...stands, words: words(name, flags.value, stands) };
}

function nextOf(name: string, wish: Wish): string {
  if (wish.do === "enable") return `seawall flags:show ${name}`;
  if (wish.do === "disable") return `seawall flags:enable ${name}`;
  const step = STEPS.find((step) => step > wish.percent);
  return step === undefined ? "seawall monitor:health" : `seawall flags:rollout ${name} ${step}`;
}
