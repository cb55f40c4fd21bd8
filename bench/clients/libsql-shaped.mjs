// The adapter for clients that look like `@libsql/client`; upstream's and ours are driven by the very same code.

/** @import { BenchClient, Result } from "../cases.mjs" */

/** @param {{ rows: unknown[], rowsAffected: number }} result @returns {Result} */
const resultOf = ({ rows, rowsAffected }) => ({
  rows: /** @type {Record<string, unknown>[]} */ (rows),
  affected: rowsAffected,
});

/**
 * @param {typeof import("@libsql/client/web").createClient} createClient
 * @param {string} url
 * @returns {BenchClient}
 */
export function openWith(createClient, url) {
  const client = createClient({ url });
  return {
    query: async (sql) => resultOf(await client.execute(sql)),
    batch: async (statements) => (await client.batch(statements, "write")).map(resultOf),
    transaction: async (statements) => {
      const transaction = await client.transaction("write");
      try {
        const results = [];
        for (const statement of statements) results.push(resultOf(await transaction.execute(statement)));
        await transaction.commit();
        return results;
      } finally {
        transaction.close();
      }
    },
    close: () => client.close(),
  };
}
