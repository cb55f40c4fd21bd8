// `support:bundle [folder]`: what somebody needs who helps from elsewhere: settings, health and flags, and nothing secret.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { put } from "../files.ts";
import { printableJson } from "../printable.ts";
import { said, sound } from "../setting-orders.ts";
import type { Terminal } from "../terminal.ts";
import { flagsReport } from "./flags-show.ts";
import { reportOf } from "./monitor-health.ts";

/**
 * Writes what can be had: of an outage of the store of orders health can be told nevertheless, and the other files say what is wrong.
 *
 * @returns 1 when something is missing.
 * @throws CliError when nobody answers, or lets in, or the files cannot be written.
 */
export async function supportBundle(api: () => Api, terminal: Terminal, folder = named()): Promise<ExitCode> {
  const asked = api();
  const missing: string[] = [];
  const part = async (name: string, work: () => Promise<string>): Promise<[string, string]> => {
    const text = await work().catch((error) => {
      if (!(error instanceof CliError) || error.exit === EXIT.auth || error.exit === EXIT.unreachable) throw error;
      missing.push(name);
      return shown({ error: { code: error.code, message: error.message } });
    });
    return [name, text];
  };
  const files = await Promise.all([
    part(
      "support-config.json",
      async () => (await sound((await said(api, {})).options, "They cannot be used")).document,
    ),
    part("support-health.json", async () => shown(await reportOf(asked, { detailed: true }))),
    part("support-flags.json", async () => shown(await flagsReport(asked))),
  ]);
  try {
    await mkdir(folder, { recursive: true });
  } catch (error) {
    const { code = "it failed" } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.precondition, "FOLDER_NOT_MADE", `${folder} cannot be made: ${code}.`);
  }
  for (const [name, text] of files) await put(join(folder, name), text);
  const written = files.map(([name, text]) => ({ file: join(folder, name), bytes: Buffer.byteLength(text) }));
  if (terminal.isJson) terminal.json({ folder, files: written, missing });
  else for (const { file, bytes } of written) terminal.say(`${file}  ${bytes} bytes`);
  if (missing.length === 0) return EXIT.ok;
  terminal.note(`Not all could be had: ${missing.join(", ")} says why not.`);
  return EXIT.unhealthy;
}

const shown = (value: object) => `${printableJson(value, 2)}\n`;
const named = () => `support-${new Date().toISOString().replace(/[-:]|\.\d+/g, "")}`;
