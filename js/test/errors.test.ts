import { expect, test } from "vitest";
import {
  attachFailure,
  DatabaseCircuitBreakerError,
  DatabaseTimeoutError,
  failureOf,
  LibsqlBatchError,
  LibsqlError,
  makeError,
  OutcomeUnknownError,
  PoolExhaustedError,
  ResilienceError,
} from "../src/errors.ts";

const facts = { origin: "policy", retry: "at", retryAtMs: 5, outcome: "not_executed", state: "OPEN" } as const;

test("the message starts with the code, and the own properties are upstream's", () => {
  const error = new LibsqlError("no such table", "SQLITE_ERROR");
  expect(error.message).toBe("SQLITE_ERROR: no such table");
  expect(error.name).toBe("LibsqlError");
  expect(Object.keys(error)).toEqual(["code", "extendedCode", "rawCode", "name"]);
  const batch = new LibsqlBatchError("m", 2, "C", "X", 19, error);
  expect(batch).toBeInstanceOf(LibsqlError);
  expect(batch).toMatchObject({ statementIndex: 2, code: "C", extendedCode: "X", rawCode: 19, cause: error });
});

test("a code makes its class, with the four answers", () => {
  const error = makeError("CIRCUIT_OPEN", "The circuit is open", facts);
  expect(error).toBeInstanceOf(DatabaseCircuitBreakerError);
  expect(error).toBeInstanceOf(ResilienceError);
  expect(error).toBeInstanceOf(LibsqlError);
  expect(error).not.toBeInstanceOf(DatabaseTimeoutError);
  expect(error).toMatchObject({ code: "CIRCUIT_OPEN", origin: "policy", retry: "at", retryAtMs: 5, state: "OPEN" });
  expect(error.name).toBe("DatabaseCircuitBreakerError");
  expect(makeError("POOL_TIMEOUT", "", facts)).toBeInstanceOf(PoolExhaustedError);
  expect(makeError("OUTCOME_UNKNOWN", "", facts)).toBeInstanceOf(OutcomeUnknownError);
  const timeout = makeError("DEADLINE_EXCEEDED", "", { ...facts, timeout: 9, operationName: "q" });
  expect(timeout).toMatchObject({ timeout: 9, operationName: "q" });
  expect(Object.getPrototypeOf(makeError("toString", "", facts))).toBe(ResilienceError.prototype);
});

test("a class of another copy of the package is known by its brand", () => {
  const other = Object.create(Error.prototype, {
    [Symbol.for("seawall.ResilienceError")]: { value: ["ResilienceError", "PoolExhaustedError"] },
  });
  expect(other).toBeInstanceOf(ResilienceError);
  expect(other).toBeInstanceOf(PoolExhaustedError);
  expect(other).not.toBeInstanceOf(DatabaseTimeoutError);
  expect(null).not.toBeInstanceOf(ResilienceError);
  class Own extends PoolExhaustedError {}
  expect(other).not.toBeInstanceOf(Own);
  expect(new Own("POOL_TIMEOUT", "", facts)).toBeInstanceOf(Own);
  expect(new Own("POOL_TIMEOUT", "", facts)).toBeInstanceOf(PoolExhaustedError);
});

test("a policy's error has no captured stack, and the next error has one", () => {
  expect(makeError("CIRCUIT_OPEN", "x", facts).stack).not.toContain("errors.test");
  expect(new Error("y").stack).toContain("errors.test");
});

test("the facts of an attempt are attached unseen", () => {
  const error = attachFailure(new LibsqlError("m", "C"), { status: 503, code: "C", sent: true });
  expect(failureOf(error)).toEqual({ status: 503, code: "C", sent: true });
  expect(JSON.stringify({ ...error })).not.toContain("503");
  expect(failureOf(new Error("z"))).toBeUndefined();
  expect(failureOf(null)).toBeUndefined();
});
