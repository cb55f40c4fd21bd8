// Records of the log, as its route shows them.

import type { Api } from "./api.ts";

/** Levels, the loudest last. */
export const LEVELS: readonly string[] = ["debug", "info", "warn", "error"];

export interface Logs {
  scope: "fleet" | "isolate";
  records: { time: string; level: string; msg: string; [member: string]: unknown }[];
}

/** Records of this level and above, oldest first; the newest `lines` of them. */
export function logsOf(api: Api, level: string, hours: number, lines: number): Promise<Logs> {
  return api.admin<Logs>(`/logs?level=${level}&hours=${hours}&lines=${lines}`);
}
