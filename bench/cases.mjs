// The five things that every client is asked to do, in Node and inside workerd: same SQL, same data, same reading of it.
//
// Every cell of a result is read by its name, so that a client which put off decoding would gain nothing by it.

/** A statement with positional arguments. @typedef {{ sql: string, args: (string | number | null)[] }} Statement */

/**
 * What a client adapter offers; one object per turn.
 *
 * @typedef {object} BenchClient
 * @property {(sql: string) => Promise<Result>} query
 * @property {(statements: Statement[]) => Promise<Result[]>} batch All or nothing.
 * @property {(statements: Statement[]) => Promise<Result[]>} transaction Interactive: one after the other, then commit.
 * @property {() => unknown} close
 */

/** @typedef {{ rows: Record<string, unknown>[], affected: number }} Result */

/** Rows in the table that is read. */
const PEOPLE = 10_000;

/** Rows in one INSERT. */
const PEOPLE_AT_ONCE = 500;

const WORDS = (
  "amber basin cedar delta ember fjord grove harbor island jetty kelp lagoon marsh north ocean pier quay reef shoal tide " +
  "upland valley wharf yacht zephyr anchor beacon cliff dune estuary foam gull haven inlet keel lantern mast nautical"
).split(" ");

/** The same numbers below `limit` in every run. @param {number} seed @returns {(limit: number) => number} */
function numbersFrom(seed) {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

/**
 * Made up, but not easier to compress than real rows: 10,000 of them are 2.1 MB of JSON and 0.35 MB with gzip. Peers ask
 * for gzip, and text that repeats itself would make their answers short.
 */
function peopleInserts() {
  const number = numbersFrom(1);
  const word = () => /** @type {string} */ (WORDS[number(WORDS.length)]);
  const reference = () => number(2 ** 32).toString(16) + number(2 ** 32).toString(16);
  /** @param {number} id */
  const values = (id) => {
    const name = `${word()} ${word()}`;
    const email = `${word()}.${number(100_000)}@${word()}.example`;
    const note = id % 10 === 0 ? "NULL" : `'"${word()}" ${reference()}'`;
    return `(${id}, '${name}', '${email}', ${number(1_000_000_000) / 1_000 + 0.0005}, ${note})`;
  };
  const ids = Array.from({ length: PEOPLE_AT_ONCE }, (_, index) => index + 1);
  return Array.from(
    { length: PEOPLE / PEOPLE_AT_ONCE },
    (_, index) => `INSERT INTO people VALUES ${ids.map((id) => values(index * PEOPLE_AT_ONCE + id)).join(", ")}`,
  );
}

/** Statements that make the data; they may run on a database that has it already. */
export const SCHEMA = [
  "DROP TABLE IF EXISTS people",
  "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL, score REAL NOT NULL, note TEXT)",
  ...peopleInserts(),
  "DROP TABLE IF EXISTS accounts",
  "CREATE TABLE accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL)",
  "INSERT INTO accounts VALUES (1, 100)",
  "DROP TABLE IF EXISTS ledger",
  "CREATE TABLE ledger (id INTEGER PRIMARY KEY, account INTEGER NOT NULL, note TEXT NOT NULL)",
];

/** @type {Statement[]} */
const INSERTS = Array.from({ length: 20 }, (_, index) => ({
  sql: "INSERT INTO ledger (account, note) VALUES (?, ?)",
  args: [1, `entry ${index}`],
}));

/** Leaves the balance as it was, so that the answers are the same every time. @type {Statement[]} */
const TRANSFER = [
  { sql: "SELECT balance FROM accounts WHERE id = ?", args: [1] },
  { sql: "UPDATE accounts SET balance = balance - 5 WHERE id = ?", args: [1] },
  { sql: "SELECT balance FROM accounts WHERE id = ?", args: [1] },
  { sql: "UPDATE accounts SET balance = balance + 5 WHERE id = ?", args: [1] },
  { sql: "INSERT INTO ledger (account, note) VALUES (?, ?)", args: [1, "transfer"] },
];

/** Rows that one run of the write cases adds to `ledger`. */
export const LEDGER_ROWS = { batch20: INSERTS.length, transaction5: 1 };

/** @param {number} rows */
const people = (rows) => `SELECT id, name, email, score, note FROM people ORDER BY id LIMIT ${rows}`;

/**
 * @typedef {object} Case
 * @property {string} id
 * @property {string} title
 * @property {readonly string[]} columns Names of the cells that are read.
 * @property {(client: BenchClient) => Promise<Result[]>} run
 */

const PERSON = ["id", "name", "email", "score", "note"];

/** @type {readonly Case[]} */
export const CASES = [
  {
    id: "select1",
    title: "SELECT 1",
    columns: ["one"],
    run: async (client) => [await client.query("SELECT 1 AS one")],
  },
  {
    id: "rows100",
    title: "100 rows x 5 columns",
    columns: PERSON,
    run: async (client) => [await client.query(people(100))],
  },
  {
    id: "rows10000",
    title: "10,000 rows x 5 columns",
    columns: PERSON,
    run: async (client) => [await client.query(people(PEOPLE))],
  },
  { id: "batch20", title: "batch of 20 inserts", columns: [], run: (client) => client.batch(INSERTS) },
  {
    id: "transaction5",
    title: "transaction of 5 statements",
    columns: ["balance"],
    run: (client) => client.transaction(TRANSFER),
  },
];

/** @param {string} id */
function caseOf(id) {
  const found = CASES.find((each) => each.id === id);
  if (found === undefined) throw new Error(`there is no case ${id}`);
  return found;
}

/** Cells that hold something. @param {Result[]} results @param {readonly string[]} columns */
function cellsIn(results, columns) {
  let cells = 0;
  for (const { rows } of results) {
    for (const row of rows) {
      for (const name of columns) if (row[name] !== null) cells += 1;
    }
  }
  return cells;
}

/**
 * One run of a case as plain data, for comparing clients.
 *
 * @param {BenchClient} client @param {string} id
 * @returns {Promise<string>} JSON: cells by name, and rows affected.
 */
export async function answerOf(client, id) {
  const results = await caseOf(id).run(client);
  return JSON.stringify(
    results.map(({ rows, affected }) => ({
      rows: rows.map((row) =>
        Object.fromEntries(
          Object.keys(row)
            .sort()
            .map((name) => [name, row[name]]),
        ),
      ),
      affected: rows.length > 0 ? 0 : affected,
    })),
  );
}

/**
 * Runs a case again and again, one run at a time.
 *
 * @param {BenchClient} client @param {string} id
 * @param {number} budgetMs Stops at the end of the run during which this much time has passed.
 * @returns {Promise<{ runs: number, cells: number }>} Runs made, at least one, and cells read.
 */
export async function repeat(client, id, budgetMs) {
  const { run, columns } = caseOf(id);
  const until = Date.now() + budgetMs;
  let runs = 0;
  let cells = 0;
  do {
    cells += cellsIn(await run(client), columns);
    runs += 1;
  } while (Date.now() < until);
  return { runs, cells };
}
