// What the core says of statements and plans, held against what a real server says of them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";

type Row = [sql: string, flags: string, reads: string, writes: string];
interface Described {
  is_readonly: boolean;
  is_explain: boolean;
}
interface Plan {
  sql: string;
  lines: [id: number, parent: number, detail: string][];
  cost: number[];
}

const folder = join(import.meta.dirname, "../conformance");
const corpus = JSON.parse(readFileSync(join(folder, "statements.json"), "utf8")) as {
  schema: string[];
  statements: Row[];
};
const golden = JSON.parse(readFileSync(join(folder, "plans.json"), "utf8")) as { schema: string[]; plans: Plan[] };

let sqld: Awaited<ReturnType<typeof startSqld>>;
let planner: Awaited<ReturnType<typeof startSqld>>;
beforeAll(async () => {
  sqld = await startSqld();
  planner = await startSqld();
  await ask(sqld.url, corpus.schema.map(execute), true);
  await ask(planner.url, golden.schema.map(execute), true);
});
afterAll(async () => {
  await sqld?.stop();
  await planner?.stop();
});

const execute = (sql: string) => ({ type: "execute", stmt: { sql } });

/** The answers to requests on one stream; undefined where the server refused one. */
async function ask(url: string, requests: object[], mustSucceed = false) {
  const response = await fetch(`${url}/v3/pipeline`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ baton: null, requests: [...requests, { type: "close" }] }),
  });
  // biome-ignore lint/suspicious/noExplicitAny: an answer of the wire.
  const { results } = (await response.json()) as { results: any[] };
  if (mustSucceed) expect(results.filter(({ type }) => type !== "ok")).toEqual([]);
  return results.slice(0, requests.length).map((result) => result.response?.result);
}

test("what is called a read only reads, as the server says", async () => {
  const wrong: string[] = [];
  const wronglyWrites: string[] = [];
  const compared = { reads: 0, others: 0 };
  for (const [sql, flags] of corpus.statements) {
    const [described] = (await ask(sqld.url, [{ type: "describe", sql }])) as (Described | undefined)[];
    const isRead = flags.startsWith("read");
    if (described === undefined) continue;
    compared[isRead ? "reads" : "others"] += 1;
    // Of EXPLAIN the server says what it would say without; nothing is run.
    if (isRead && !described.is_readonly && !described.is_explain) wrong.push(sql);
    if (flags.startsWith("write") && described.is_readonly) wronglyWrites.push(sql);
  }
  expect(wrong).toEqual([]);
  expect(wronglyWrites).toEqual([]);
  expect(compared.reads).toBeGreaterThan(90);
  expect(compared.others).toBeGreaterThan(50);
});

test("tables that the server opens are named, those that it opens for writing as targets", async () => {
  const [pages] = await ask(
    sqld.url,
    [execute("SELECT rootpage, tbl_name FROM sqlite_schema WHERE rootpage > 0")],
    true,
  );
  const tableAt = new Map<string, string>(
    cells(pages).map(([page, table]) => [String(page), String(table).toLowerCase()]),
  );
  const problems: string[] = [];
  let opened = 0;
  for (const [sql, flags, reads, writes] of corpus.statements) {
    if (!/^(read select|write (insert|update|delete))/.test(flags)) continue;
    const [program] = await ask(sqld.url, [execute(`EXPLAIN ${sql.replace(/^\uFEFF/, "")}`)]);
    if (program === undefined) continue;
    // The view reads `t`, and what refers to `t` is looked at when a row of `t` goes: no text tells that.
    const known = `,${reads === "my table" ? reads : reads.replaceAll(" ", ",")},${reads === "v" ? "t," : ""}`;
    const targets = `,${writes},`;
    for (const [, opcode, , page, schema] of cells(program)) {
      const table = schema === "0" ? tableAt.get(String(page)) : undefined;
      if (table === undefined || !/^Open(Read|Write)$/.test(String(opcode))) continue;
      opened += 1;
      const isCascade = writes === "t" && table === "u";
      const isNamed = targets.includes(`,${table},`) || (opcode === "OpenRead" && known.includes(`,${table},`));
      if (!isNamed && !isCascade) problems.push(`${sql}: ${opcode} ${table}`);
    }
  }
  expect(problems).toEqual([]);
  expect(opened).toBeGreaterThan(100);
});

/** The cells of a result as the wire has them. */
// biome-ignore lint/suspicious/noExplicitAny: an answer of the wire.
function cells(result: any): (string | undefined)[][] {
  return result.rows.map((row: { value?: string }[]) => row.map(({ value }) => value));
}

test("plans are those that the server makes", async () => {
  const found: Plan[] = [];
  for (const plan of golden.plans) {
    const [answer] = await ask(planner.url, [execute(`EXPLAIN QUERY PLAN ${plan.sql}`)], true);
    // biome-ignore lint/suspicious/noExplicitAny: an answer of the wire.
    const lines = (answer.rows as any[]).map(([id, parent, , detail]) => [
      Number(id.value),
      Number(parent.value),
      detail.value,
    ]);
    found.push({ ...plan, lines: lines as Plan["lines"] });
  }
  if (process.env.UPDATE === "1") {
    const list = found.map((plan) => `    ${JSON.stringify(plan)}`).join(",\n");
    const { plans: _, ...rest } = golden;
    const head = JSON.stringify(rest, null, 2).slice(0, -2);
    writeFileSync(join(folder, "plans.json"), `${head},\n  "plans": [\n${list}\n  ]\n}\n`);
  }
  expect(found.map(({ sql, lines }) => [sql, lines])).toEqual(golden.plans.map(({ sql, lines }) => [sql, lines]));
});
