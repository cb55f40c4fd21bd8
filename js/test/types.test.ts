// Compiled, not run: each line fails to compile if our public types stop being interchangeable with upstream's.
import type * as upstream from "@libsql/client";
import { expect, test } from "vitest";
import type * as api from "../src/api.ts";
import type * as errors from "../src/errors.ts";

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

const interchangeable: [
  Same<api.Client, upstream.Client>,
  Same<api.Config, upstream.Config>,
  Same<api.InArgs, upstream.InArgs>,
  Same<api.InStatement, upstream.InStatement>,
  Same<api.InValue, upstream.InValue>,
  Same<api.IntMode, upstream.IntMode>,
  Same<api.Replicated, upstream.Replicated>,
  Same<api.ResultSet, upstream.ResultSet>,
  Same<api.Row, upstream.Row>,
  Same<api.Transaction, upstream.Transaction>,
  Same<api.TransactionMode, upstream.TransactionMode>,
  Same<api.Value, upstream.Value>,
  Same<errors.LibsqlError, upstream.LibsqlError>,
  Same<errors.LibsqlBatchError, upstream.LibsqlBatchError>,
] = [true, true, true, true, true, true, true, true, true, true, true, true, true, true];

test("the public types are interchangeable with those of @libsql/client", () => {
  expect(interchangeable.every(Boolean)).toBe(true);
});
