// What the page asks of the routes beside it, and what it makes of the answers.

import type { Overview } from "../js/src/monitor/documents.ts";

/** `/health/score`. */
export interface Scores {
  score: number;
  databases: Record<string, { score: number; parts: { name: string; points: number; isCritical: boolean }[] }>;
}

/** One alert of `/admin/api/alerts`. */
export interface Alert {
  id: string;
  rule: string;
  database: string;
  severity: string;
  message: string;
  stage: string;
  firedAtMs: number;
}

/** One look at everything. */
export interface Look {
  overview: Overview;
  scores: Scores;
  /** Undefined without a token; a text when they cannot be had. */
  alerts: Alert[] | string | undefined;
}

const LIMIT_MS = 10_000;
/** The routes lie beside this page, whatever comes before them. */
const BASE = location.pathname.replace(/\/dashboard\/?$/, "");

/** The token was refused. */
export class Refused extends Error {}

/** @throws Error with a sentence for people; Refused for a token that is none. */
export async function look(token: string): Promise<Look> {
  const [overview, scores, alerts] = await Promise.all([
    ask<Overview>(`${BASE}/status`),
    ask<Scores>(`${BASE}/health/score`),
    token === "" ? undefined : alertsOf(token),
  ]);
  return { overview, scores, alerts };
}

async function alertsOf(token: string): Promise<Alert[] | string> {
  try {
    const { alerts } = await ask<{ alerts: Alert[] }>("/admin/api/alerts", { authorization: `Bearer ${token}` });
    return alerts.filter(({ stage }) => stage !== "resolved");
  } catch (error) {
    if (error instanceof Refused) throw error;
    return (error as Error).message;
  }
}

async function ask<T>(path: string, headers: Record<string, string> = {}): Promise<T> {
  const response = await fetch(path, {
    headers,
    cache: "no-store",
    credentials: "omit",
    signal: AbortSignal.timeout(LIMIT_MS),
  }).catch(() => {
    throw new Error("Nobody answers. The numbers below are old.");
  });
  if (response.status === 401) throw new Refused("The token was refused. It is not the one that is set there.");
  const document = await response.json().catch(() => undefined);
  if (response.ok && typeof document === "object" && document !== null) return document as T;
  throw new Error(typeof document?.detail === "string" ? document.detail : `The answer has status ${response.status}.`);
}
