// Times as flags give them.

import { InvalidArgumentError } from "commander";

const TIMEOUT_MAX_MS = 86_400_000;

/** @throws InvalidArgumentError for anything but a whole number of milliseconds, up to a day. */
export function milliseconds(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= 1 && ms <= TIMEOUT_MAX_MS) return ms;
  throw new InvalidArgumentError(`It is 1 to ${TIMEOUT_MAX_MS} milliseconds.`);
}
