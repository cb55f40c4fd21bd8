// What to look at before a deployment: does the database answer, is the host's tool there. For `migrate` and for scripts.

import type { Client } from "./api.ts";
import { type Platform, platform as thisPlatform } from "./platform/platform.ts";

/** What was looked at. Only an `error` is a reason not to deploy. */
export interface PreflightFinding {
  readonly what: "database" | "vercel-cli";
  readonly level: "ok" | "warning" | "error";
  /** One sentence: what was found, and what to do about it. */
  readonly message: string;
  /** What the database's answer took, in milliseconds. */
  readonly latencyMs?: number;
  /** The database's error. */
  readonly cause?: unknown;
}

/** What the caller can do that a package for every runtime cannot. */
export interface PreflightOptions {
  /** The version that a command tells when it is run with `--version`; undefined if there is no such command. */
  versionOf?: (command: string) => Promise<string | undefined>;
}

/**
 * Asks the database `SELECT 1`, and looks for Vercel's command where one could be installed. Never rejects: a database
 * that does not answer is a finding of level `error`; a missing command is a `warning`, and on Workers not looked for.
 */
export async function preflight(
  client: Pick<Client, "execute">,
  { versionOf }: PreflightOptions = {},
  platform: Platform = thisPlatform,
): Promise<PreflightFinding[]> {
  const findings = [await answers(client, platform.now)];
  if (platform.name !== "workerd") findings.push(await vercelCommand(versionOf));
  return findings;
}

async function answers(client: Pick<Client, "execute">, now: () => number): Promise<PreflightFinding> {
  const began = now();
  try {
    await client.execute("SELECT 1");
    const latencyMs = now() - began;
    return { what: "database", level: "ok", message: `The database answered in ${latencyMs} ms.`, latencyMs };
  } catch (cause) {
    const code = (cause as { code?: unknown } | null)?.code ?? "no code";
    const message = `The database did not answer SELECT 1 (${String(code)}). Check its address and its token.`;
    return { what: "database", level: "error", message, latencyMs: now() - began, cause };
  }
}

async function vercelCommand(versionOf: PreflightOptions["versionOf"]): Promise<PreflightFinding> {
  const version = await versionOf?.("vercel").catch(() => undefined);
  return version === undefined
    ? {
        what: "vercel-cli",
        level: "warning",
        message: "Vercel's command was not found. Whoever deploys to Vercel installs it: npm i -g vercel.",
      }
    : { what: "vercel-cli", level: "ok", message: `Vercel's command is there, version ${version}.` };
}
