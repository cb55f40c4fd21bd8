// `flags:killswitch [reason]`: every flag off, at once, and how long that took to hold where it was asked.

import { setTimeout as after } from "node:timers/promises";
import type { Overview } from "../../monitor/documents.ts";
import type { Api, Order } from "../api.ts";
import { canAsk, typed } from "../ask.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { type FlagDocument, type Kill, meant, unknown } from "../flag-document.ts";
import type { GlobalFlags } from "../settings.ts";
import type { Terminal } from "../terminal.ts";

export interface KillswitchFlags extends GlobalFlags {
  /** Turn back on what is off. */
  release?: boolean;
  /** These flags alone. */
  only?: string[];
  /** The environment that is meant. */
  confirm?: string;
}

/** How soon the order held, as far as answers show. */
interface Propagation {
  /** From its acceptance to the first of the last answers, all of which show it, in milliseconds; null if that did not come. */
  ms: number | null;
  /** Answers that were looked at, and how many of them did not show it yet. */
  answers: number;
  stale: number;
}

/** So many answers in a row show it. They may be those of different isolates. */
const ANSWERS_IN_A_ROW = 3;
const BETWEEN_LOOKS_MS = 50;
/** What was there before is waited for so long at most, in milliseconds. */
const KNOWN_WITHIN_MS = 500;
/** It is looked for so long at most, in milliseconds. */
const LOOK_MAX_MS = 5_000;

/** @returns 0 when it holds where it was asked, 1 when it is accepted and was not seen to hold yet. */
export async function flagsKillswitch(
  api: Api,
  terminal: Terminal,
  flags: KillswitchFlags,
  why: string,
  paused: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<ExitCode> {
  const { release = false } = flags;
  const { only, strangers } = await named(api, flags.only);
  for (const stranger of strangers) terminal.note(`warning: ${stranger}`);
  if (flags.dryRun === true) {
    const what = only === undefined ? "every flag" : only.join(", ");
    const { value } = await api.admin<Order<Kill>>("/orders/kill");
    if (terminal.isJson) terminal.json({ dryRun: true, release, flags: only ?? "all", from: value ?? {} });
    else terminal.say(`${stateOf(value)} → ${release ? "on again" : "off"}: ${what}, if it were done`);
    return EXIT.ok;
  }
  await confirmed(api.environment, flags, paused);
  const before = await soon(api.admin<Order<Kill>>("/orders/kill"));
  const began = performance.now();
  const body = { reason: why, ...(only !== undefined && { flags: only }) };
  const order = await api.write<Order<Kill>>("POST", release ? "/kill/release" : "/kill", body);
  const accepted = performance.now();
  terminal.note(`Accepted as version ${order.version} after ${Math.round(accepted - began)} ms.`);
  const propagation = await lookedFor(api, order.version, accepted, flags.timeout);
  const next = release ? "seawall flags:show" : "seawall monitor:health, then seawall flags:killswitch --release";
  if (terminal.isJson)
    terminal.json({
      release,
      flags: only ?? "all",
      from: before?.value ?? null,
      to: order.value,
      version: order.version,
      reason: why,
      acceptedAfterMs: Math.round(accepted - began),
      propagation,
      next,
    });
  else {
    const { bold, red, green } = terminal.colors;
    const paint = release ? green : red;
    terminal.say(`${stateOf(before?.value)} → ${bold(paint(stateOf(order.value)))}`);
    if (propagation.ms !== null)
      terminal.say(`It holds: ${propagation.ms} ms after it was accepted, ${inARow(propagation)}.`);
  }
  if (propagation.ms === null) {
    const looked = `${propagation.answers} answers of /status were looked at, and it was not seen to hold`;
    throw new CliError(
      EXIT.unhealthy,
      "NOT_SEEN_YET",
      `It is accepted as version ${order.version}, but ${looked}. Look again: seawall flags:show`,
    );
  }
  terminal.note(`Next: ${next}`);
  return EXIT.ok;
}

const inARow = ({ answers, stale }: Propagation) =>
  `${ANSWERS_IN_A_ROW} answers in a row show it${stale === 0 ? "" : `; ${stale} of ${answers} did not yet`}`;

/** All flags of production are turned off by who names it. Scripts are not asked; a wrong name is wrong for them as well. */
async function confirmed(
  environment: string,
  flags: KillswitchFlags,
  paused: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<void> {
  const { confirm, release, only } = flags;
  if (confirm !== undefined && confirm !== environment) {
    const message = `--confirm=${confirm} is not where this goes: that is ${environment}. Nothing was changed.`;
    throw new CliError(EXIT.usage, "OTHER_ENVIRONMENT", message);
  }
  const isGrave = environment === "production" && release !== true && only === undefined && confirm === undefined;
  if (isGrave && canAsk(flags))
    await paused(() => typed("This turns every flag of production off, at once.", environment));
}

/** The keys of flags that were named, and what to say of those that nobody has published: a bundle may have them nevertheless. */
async function named(api: Api, asked: string[] | undefined): Promise<{ only?: string[]; strangers: string[] }> {
  if (asked === undefined) return { strangers: [] };
  const order = await soon(api.admin<Order<FlagDocument>>("/orders/flags"));
  if (order === undefined) return { only: asked, strangers: [] };
  const strangers = asked.filter((name) => meant(name, order.value) === undefined);
  return {
    only: asked.map((name) => meant(name, order.value) ?? name),
    strangers: strangers.map((name) => unknown(name, order.value)),
  };
}

/** What was there is good to know, and no reason to wait, or not to go on: the switch works over a damaged order, too. */
function soon<T>(asked: Promise<T>): Promise<T | undefined> {
  const answered = asked.catch((error) => {
    if (error instanceof CliError && error.exit === EXIT.auth) throw error;
    return undefined;
  });
  return Promise.race([answered, after(KNOWN_WITHIN_MS, undefined, { ref: false })]);
}

function stateOf(kill: Kill | null | undefined): string {
  if (kill === undefined) return "unknown";
  if (kill?.all === true) return "every flag is off";
  const named = kill?.flags ?? [];
  return named.length === 0 ? "nothing is turned off" : `off: ${named.join(", ")}`;
}

async function lookedFor(api: Api, version: number, accepted: number, timeout?: number): Promise<Propagation> {
  const until = accepted + Math.min(LOOK_MAX_MS, (timeout ?? 2 * LOOK_MAX_MS) / 2);
  let since: number | undefined;
  let [answers, stale, inARow] = [0, 0, 0];
  while (performance.now() < until) {
    const shown = await api.document<Overview>("/status").catch(silent);
    answers += 1;
    if (shown !== undefined && shown.flags.kill_version >= version) {
      since ??= performance.now();
      inARow += 1;
      if (inARow === ANSWERS_IN_A_ROW) return { ms: Math.round(since - accepted), answers, stale };
      continue;
    }
    [since, inARow] = [undefined, 0];
    stale += 1;
    await after(BETWEEN_LOOKS_MS);
  }
  return { ms: null, answers, stale };
}

/** The order is given: whoever does not tell how it stands is asked again. */
function silent(error: unknown): undefined {
  if (error instanceof CliError && error.exit !== EXIT.timeout) return undefined;
  throw error;
}
