// The clients under contract. This is the only place that knows where each comes from.
//
// CONTRACT_SUBJECTS=upstream,seawall,riding chooses them; all run when it is not set. `riding` is ours with a question that rides
// along with each request, which must make no difference.
import type * as libsql from "@libsql/client/web";

/** Upstream's configuration and, under a key that upstream ignores, Seawall's own options. */
export type Config = libsql.Config & { seawall?: OwnOptions };
type OwnOptions = Record<string, unknown>;

export interface Subject {
  readonly name: "upstream" | "seawall";
  /** What its tests are listed under. */
  readonly title: string;
  createClient(config: Config): libsql.Client;
  readonly LibsqlError: typeof libsql.LibsqlError;
  readonly LibsqlBatchError: typeof libsql.LibsqlBatchError;
}

const packages: Record<Subject["name"], string> = {
  upstream: "@libsql/client/web",
  seawall: "seawall",
};

/** Seawall's own options for one attempt per call, so that a failure shows itself instead of a retry. Upstream ignores them. */
export const singleAttempt: OwnOptions = { retry: { attempts: 1 } };

/** Seawall's own options for a deadline of `ms` on a query. Upstream ignores them. */
export function queryDeadline(ms: number): OwnOptions {
  return { ...singleAttempt, timeouts: { query: ms } };
}

/** Asks a table that is there in no test with every other request, and one that always is with the others. */
function riding(create: Subject["createClient"]): Subject["createClient"] {
  let asked = 0;
  return (config) => {
    const client = create(config) as ReturnType<typeof create> & { seawall: { piggyback(passenger: unknown): void } };
    client.seawall.piggyback(() => {
      asked += 1;
      const sql = asked % 2 === 0 ? "SELECT text FROM seawall_strong" : "SELECT name FROM sqlite_schema";
      return { statement: { sql, args: [] }, answered() {}, failed() {} };
    });
    return client;
  };
}

async function load(name: string): Promise<Subject> {
  if (name === "riding") {
    const ours = await load("seawall");
    return { ...ours, title: name, createClient: riding(ours.createClient) };
  }
  const specifier = packages[name as Subject["name"]];
  if (specifier === undefined) {
    throw new Error(
      `CONTRACT_SUBJECTS names ${JSON.stringify(name)}; the choices are ${Object.keys(packages)}, riding`,
    );
  }
  // The specifier is a variable because the types of the workspace package exist only once it is built.
  const { createClient, LibsqlError, LibsqlBatchError } = (await import(/* @vite-ignore */ specifier)) as typeof libsql;
  return { name: name as Subject["name"], title: name, createClient, LibsqlError, LibsqlBatchError };
}

const chosen = process.env.CONTRACT_SUBJECTS ?? [...Object.keys(packages), "riding"].join(",");
export const subjects: readonly Subject[] = await Promise.all(chosen.split(",").map((name) => load(name.trim())));
