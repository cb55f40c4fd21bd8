// `config:export [format] [file]`: settings as a document for version control, sorted and without secrets.

import type { Api } from "../api.ts";
import { CliError, EXIT, type ExitCode } from "../exit.ts";
import { put } from "../files.ts";
import { didYouMean } from "../nearest.ts";
import { type LocalFlags, said, sound } from "../setting-orders.ts";
import type { Terminal } from "../terminal.ts";

/** What settings can be written as. */
export const FORMATS: readonly string[] = ["json"];

/** @throws CliError for a format that there is not, before anybody is asked. */
export async function configExport(
  api: () => Api,
  terminal: Terminal,
  flags: LocalFlags,
  format = "json",
  file = "-",
): Promise<ExitCode> {
  if (!FORMATS.includes(format)) {
    const message = `There is no format ${format}: ${FORMATS.join(", ")} is.${didYouMean(format, FORMATS)}`;
    throw new CliError(EXIT.usage, "FORMAT_UNKNOWN", message);
  }
  const { options } = await said(api, flags);
  const { document } = await sound(options, "These settings cannot be used");
  if (file === "-") process.stdout.write(document);
  else {
    await put(file, document);
    if (terminal.isJson) terminal.json({ file, bytes: Buffer.byteLength(document) });
    else terminal.say(`${file} is written. Next: seawall config:validate ${file}`);
  }
  return EXIT.ok;
}
