// The databases that a command is about: all, or the one that was named.

import type { DatabaseOverview, Overview } from "../monitor/documents.ts";
import { CliError, EXIT } from "./exit.ts";
import { didYouMean } from "./nearest.ts";

/** @throws CliError for a database that there is not. */
export function databasesOf({ databases }: Overview, asked: string | undefined): [string, DatabaseOverview][] {
  if (asked === undefined) return Object.entries(databases);
  const found = Object.hasOwn(databases, asked) ? databases[asked] : undefined;
  if (found !== undefined) return [[asked, found]];
  const names = Object.keys(databases);
  const message = `There is no database ${asked}.${didYouMean(asked, names)} All: ${names.join(", ")}`;
  throw new CliError(EXIT.usage, "DATABASE_UNKNOWN", message);
}
