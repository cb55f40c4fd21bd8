// How a contract is written: one body of assertions, run once for each client under contract.
import type { Client, LibsqlBatchError, LibsqlError, Row } from "@libsql/client/web";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";
import type { DifferenceName } from "./expected-differences.ts";
import { type Config, type Subject, subjects } from "./subjects.ts";

/** A client under contract and the server that its tests run on. */
export interface Peer extends Subject {
  /** Address of a real server that only this contract uses. Set once the tests run. */
  readonly url: string;
  /** Opens a client on that server, or on `config.url`; it is closed when the test ends. */
  open(config?: Partial<Config>): Client;
}

/** Runs `define` for each client under contract, each on a fresh server. */
export function contract(title: string, define: (peer: Peer) => void): void {
  for (const subject of subjects) {
    describe(`${subject.title}: ${title}`, () => {
      let sqld: Awaited<ReturnType<typeof startSqld>>;
      beforeAll(async () => {
        sqld = await startSqld();
      });
      afterAll(() => sqld?.stop());
      define({
        ...subject,
        get url() {
          return sqld.url;
        },
        open(config = {}) {
          return opened(subject, { url: sqld.url, ...config });
        },
      });
    });
  }
}

/** Runs `define` for each client under contract, without a server. */
export function contractOffline(title: string, define: (subject: Subject) => void): void {
  for (const subject of subjects) {
    describe(`${subject.title}: ${title}`, () => define(subject));
  }
}

/** Opens a client that is closed when the test ends. */
export function opened(subject: Subject, config: Config): Client {
  const client = subject.createClient(config);
  onTestFinished(() => client.close());
  return client;
}

/** A case in which the two clients must behave differently; its name is a row of `expected-differences.ts`. */
export function differs(
  subject: Subject,
  name: DifferenceName,
  checks: { upstream: () => Promise<void> | void; ours: () => Promise<void> | void },
): void {
  test(`differs: ${name}`, () => (subject.name === "upstream" ? checks.upstream() : checks.ours()));
}

/** What the promise was rejected with; fails the test when it was fulfilled. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    (value) => {
      throw new Error(`expected a rejection, but the promise was fulfilled with ${String(value)}`);
    },
    (error: unknown) => error,
  );
}

/** Asserts the shape that every error of the client has, and returns it. */
export function checkLibsqlError(subject: Subject, error: unknown, code?: string): LibsqlError {
  expect(error).toBeInstanceOf(Error);
  expect(error).toBeInstanceOf(subject.LibsqlError);
  const libsqlError = error as LibsqlError;
  expect(libsqlError.code).toBeTypeOf("string");
  expect(libsqlError.code).not.toBe("");
  expect(libsqlError.message.startsWith(`${libsqlError.code}: `)).toBe(true);
  if (code !== undefined) expect(libsqlError.code).toBe(code);
  return libsqlError;
}

/** Asserts that the promise is rejected with a `LibsqlError`, of that code if one is given. */
export async function libsqlRejection(
  subject: Subject,
  promise: Promise<unknown>,
  code?: string,
): Promise<LibsqlError> {
  return checkLibsqlError(subject, await rejection(promise), code);
}

/** Asserts that the promise is rejected because the statement of that index failed. */
export async function batchRejection(
  subject: Subject,
  promise: Promise<unknown>,
  statementIndex: number,
  code?: string,
): Promise<LibsqlBatchError> {
  const error = await libsqlRejection(subject, promise, code);
  expect(error).toBeInstanceOf(subject.LibsqlBatchError);
  const batchError = error as LibsqlBatchError;
  expect(batchError.statementIndex).toBe(statementIndex);
  return batchError;
}

/** The `code` of the error and of each cause below it. */
export function codesOf(error: unknown): unknown[] {
  const codes: unknown[] = [];
  for (let at: unknown = error; at instanceof Error && codes.length < 10; at = at.cause) {
    codes.push((at as { code?: unknown }).code);
  }
  return codes;
}

/** The innermost `LibsqlError`: what the last attempt failed with, when policies have wrapped it. */
export function innermost(subject: Subject, error: unknown): LibsqlError {
  let found = checkLibsqlError(subject, error);
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (at instanceof subject.LibsqlError) found = at;
  }
  return found;
}

/** The only row of a result. */
export function onlyRow(result: { rows: Row[] }): Row {
  expect(result.rows).toHaveLength(1);
  return result.rows[0] as Row;
}

/** The first value of the only row. */
export function onlyValue(result: { rows: Row[] }): unknown {
  return onlyRow(result)[0];
}

/** The number of rows in a table. */
export async function countOf(client: Pick<Client, "execute">, table: string): Promise<unknown> {
  return onlyValue(await client.execute(`SELECT COUNT(*) FROM ${table}`));
}

/** Runs the statements in order outside of a transaction, to prepare a test. */
export async function prepare(client: Client, ...statements: string[]): Promise<void> {
  await client.executeMultiple(statements.join(";\n"));
}

/** A `fetch` that notes the body of each request before it sends it on. */
export function recordingFetch(bodies: string[]): (request: Request) => Promise<Response> {
  return async (request) => {
    bodies.push(await request.clone().text());
    return fetch(request);
  };
}
