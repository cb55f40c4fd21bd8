// `flags:snapshot --out <file>`: the flags that operators have published last, for a deployment to bundle.

import { bundled } from "../../flags/bundle.ts";
import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { put } from "../files.ts";
import type { Terminal } from "../terminal.ts";

export interface SnapshotFlags {
  out?: string;
}

/** An order as its route shows it. */
interface Shown {
  version: number;
  value: { all?: boolean; flags?: readonly string[] } & Record<string, unknown>;
}

/**
 * Writes a bundle to a file that ends in `.json`, and the snapshot alone, as bytes, to any other.
 *
 * @throws CliError before anybody is asked where no file is named, and when there are no flags, or none that this release reads.
 */
export async function flagsSnapshot(api: () => Api, terminal: Terminal, { out }: SnapshotFlags): Promise<ExitCode> {
  if (out === undefined || out === "")
    throw new CliError(EXIT.usage, "OUT_MISSING", "Into which file? --out flags.json");
  const asked = api();
  const [flags, kill] = await Promise.all([asked.admin<Shown>("/orders/flags"), asked.admin<Shown>("/orders/kill")]);
  const takenAtMs = Date.now();
  if (!(flags.version > 0)) {
    const message = "Nobody has published flags there: bundle your own document, or publish it first.";
    throw new CliError(EXIT.precondition, "NO_FLAGS", message);
  }
  const snapshot = await compiled(flags.value);
  const killed = kill.version > 0 ? kill.value : {};
  const ordered = killed.all === true ? true : (killed.flags ?? []);
  const versions = { flags: flags.version, kill: kill.version };
  const bundle = bundled(snapshot, versions, ordered, takenAtMs);
  await put(out, out.endsWith(".json") ? `${JSON.stringify(bundle)}\n` : snapshot);
  const written = {
    file: out,
    versions,
    killed: ordered,
    bytes: snapshot.length,
    takenAt: new Date(takenAtMs).toISOString(),
  };
  if (terminal.isJson) terminal.json(written);
  else terminal.say(`${out}: flags of version ${flags.version}, what was killed of version ${kill.version}`);
  return EXIT.ok;
}

/** Beside the command line lies what reads documents: who looks at metrics does not load it. */
async function compiled(document: Record<string, unknown>): Promise<Uint8Array> {
  const { createFlags } = await import("../../flags/index.ts");
  try {
    return createFlags({ definitions: document, env: {} }).snapshot();
  } catch (error) {
    throw new CliError(EXIT.precondition, "FLAGS_REFUSED", error instanceof Error ? error.message : String(error));
  }
}
