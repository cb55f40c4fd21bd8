import { connect } from "@tursodatabase/serverless";

/** @import { BenchClient } from "../cases.mjs" */

/**
 * Each call is the shortest that the package offers: one round trip where it can, no `prepare`.
 *
 * @param {string} url
 * @returns {BenchClient}
 */
export function open(url) {
  const connection = connect({ url });
  return {
    query: async (sql) => ({ rows: await connection.all(sql), affected: 0 }),
    batch: async (statements) => {
      const results = await connection.batch(statements, "immediate");
      return results.map((/** @type {any} */ { rows, rowsAffected }) => ({ rows, affected: rowsAffected }));
    },
    transaction: connection.transactionAsync(
      async (/** @type {any} */ transaction, /** @type {import("../cases.mjs").Statement[]} */ statements) => {
        const results = [];
        for (const { sql, args } of statements) {
          if (sql.startsWith("SELECT")) results.push({ rows: await transaction.all(sql, ...args), affected: 0 });
          else results.push({ rows: [], affected: (await transaction.run(sql, ...args)).changes });
        }
        return results;
      },
    ).immediate,
    close: () => connection.close(),
  };
}
