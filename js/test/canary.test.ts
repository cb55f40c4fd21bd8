// Secrets are planted wherever a caller or a server can put one, and looked for in everything that is told. Time is hand-set.

import { expect, test, vi } from "vitest";
import type { LogRecord } from "../src/telemetry/logger.ts";
import { lineOf } from "../src/telemetry/logger.ts";
import { failed as failedResult, obliging } from "./fake-server.ts";
import { handSetClock, settle } from "./guards.ts";
import { Recorder, tracedClient } from "./traced.ts";

handSetClock();

const CANARIES = {
  urlUser: "canaryUser1a2b",
  urlPassword: "canaryPass3c4d",
  authToken: "canaryToken5e6f",
  literal: "canaryLiteral7g8h",
  argument: "canaryArgument9i0j",
  named: "canaryNamed1k2l",
  blob: "canaryBlob3m4n",
  serverMessage: "canaryMessage5o6p",
  serverCode: "CANARY_CODE_7Q8R",
  serverHeader: "canaryHeader9s0t",
  baton: "canaryBaton1u2v",
  collectorHeader: "canaryCollector3w4x",
  comment: "canaryComment5y6z",
  abortReason: "canaryReason7a8b",
};
type Name = keyof typeof CANARIES;

/** Canaries that are in a text, in any spelling. */
function found(text: string): Name[] {
  const low = text.toLowerCase();
  return (Object.keys(CANARIES) as Name[]).filter((name) => {
    const canary = CANARIES[name];
    const forms = [canary, btoa(canary).replace(/=+$/, ""), btoa(`:${canary}`).replace(/=+$/, "").slice(2)];
    return forms.some((form) => low.includes(form.toLowerCase()));
  });
}

const answers = (asked: { body: { requests: { type: string; stmt?: { sql?: string } }[] } }) => {
  const text = JSON.stringify(asked.body);
  if (text.includes("hang")) return new Promise(() => {});
  if (text.includes("slow")) {
    return new Promise((resolve) => setTimeout(() => resolve(obliging(asked as never)), 500));
  }
  if (text.includes("busy")) {
    const headers = { "x-secret": CANARIES.serverHeader, "retry-after": "0" };
    return new Response(CANARIES.serverMessage, { status: 503, headers });
  }
  if (text.includes("broken")) {
    return {
      baton: CANARIES.baton,
      base_url: null,
      results: asked.body.requests.map(() => failedResult(CANARIES.serverCode, `no such ${CANARIES.serverMessage}`)),
    };
  }
  return obliging(asked as never);
};

/** Every kind of operation, with a canary in every place that a caller fills. */
async function useEverything(client: ReturnType<typeof tracedClient>["client"]): Promise<unknown[]> {
  const { literal, argument, named, blob, comment, abortReason } = CANARIES;
  const errors: unknown[] = [];
  const attempt = async (work: () => Promise<unknown>) => {
    const ended = work().catch((error) => errors.push(error));
    await settle();
    for (let turns = 0; turns < 4; turns += 1) await vi.advanceTimersByTimeAsync(2_000);
    await ended;
  };
  for (const mark of ["fine", "busy", "broken", "slow"]) {
    const where = `WHERE a = '${literal}' /* ${comment} */ AND m = '${mark}'`;
    await attempt(() => client.execute({ sql: `SELECT * FROM t ${where} AND b = ?`, args: [argument] }));
    await attempt(() => client.execute(`INSERT INTO t VALUES (:n, '${mark}', "${literal}")`, { n: named }));
    await attempt(() =>
      client.execute({ sql: `DELETE FROM t ${where} AND b = ?`, args: [new TextEncoder().encode(blob)] }),
    );
    await attempt(() => client.batch([`UPDATE t SET a = 1 ${where}`, [`SELECT ?, '${mark}'`, [argument]]]));
    await attempt(() => client.executeMultiple(`DELETE FROM t ${where}; SELECT '${literal}'`));
    await attempt(async () => {
      const transaction = await client.transaction();
      await transaction.execute({ sql: `INSERT INTO t VALUES (?, '${mark}')`, args: [argument] });
      await transaction.commit();
    });
  }
  await attempt(() => client.execute({ sql: `SELECT 'hang', '${literal}'`, seawall: { timeout: 1_000 } }));
  await attempt(() =>
    client.execute({ sql: `SELECT '${literal}`, seawall: { signal: AbortSignal.abort(abortReason) } }),
  );
  return errors;
}

test.each([false, true])(
  "S: no secret is in any span, record, export, status or setting (errorMessages: %s)",
  async (errorMessages) => {
    const exported: string[] = [];
    const fetch = async (_: string, init: RequestInit) => {
      exported.push(String(init.body));
      return new Response("{}");
    };
    const recorder = new Recorder();
    const printed: string[] = [];
    const records: LogRecord[] = [];
    const url = `https://${CANARIES.urlUser}:${CANARIES.urlPassword}@db.example.com`;
    const options = {
      slowQuery: { threshold: 1 },
      queryCache: { enabled: true },
      logging: {
        level: "debug" as const,
        errorMessages,
        // What a server says is not known to be secret, so it has to be named where its texts are to be logged.
        secrets: errorMessages ? [CANARIES.serverMessage] : [],
        sink: (record: LogRecord) => {
          records.push(record);
          printed.push(lineOf(record));
        },
      },
    };
    const headers = { authorization: CANARIES.collectorHeader };
    const told: unknown[] = [];
    const failures: unknown[] = [];
    for (const config of [{ url }, { authToken: CANARIES.authToken }]) {
      for (const tracing of [
        { tracer: undefined as never, endpoint: "http://collector:4318", headers, fetch },
        { tracer: recorder, propagate: true },
      ]) {
        const { client } = tracedClient({ ...options, tracing }, answers, config);
        failures.push(...(await useEverything(client)));
        await client.seawall.telemetry.flush();
        const { seawall } = client;
        told.push(
          seawall.status(),
          seawall.config(),
          seawall.exportConfig(),
          seawall.slowQueries(),
          seawall.connections(),
        );
        told.push(seawall.operations(), seawall.telemetry.status(), seawall.telemetry.logs(), seawall.cluster());
        client.close();
      }
    }
    // It must have been there to be found.
    expect(recorder.spans.length).toBeGreaterThan(60);
    expect(exported.join("").length).toBeGreaterThan(10_000);
    const kinds = new Set(records.map(({ msg }) => msg));
    for (const kind of ["query", "operation failed", "tried again", "slow query", "circuit changed"]) {
      expect(kinds).toContain(kind);
    }
    expect(found(printed.join("\n"))).toEqual([]);
    expect(found(JSON.stringify(recorder.spans))).toEqual([]);
    expect(found(exported.join("\n"))).toEqual([]);
    expect(found(JSON.stringify(told))).toEqual([]);
    // Errors are the database's own, unchanged: they hold what the server said, and nothing that it was sent.
    const own = failures.map(
      (error) => `${(error as Error).message} ${JSON.stringify(error)} ${(error as Error).stack}`,
    );
    const inErrors = found(own.join("\n")).filter(
      (name) => !["serverMessage", "serverCode", "abortReason"].includes(name),
    );
    expect(inErrors).toEqual([]);
  },
);
