// What the platform says of where it runs.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { platform } from "../src/platform/platform.ts";

const VARIABLES = [
  ...["VERCEL_REGION", "FLY_REGION", "DENO_REGION", "RAILWAY_REPLICA_REGION"],
  ...["AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME", "AWS_EXECUTION_ENV"],
];

beforeEach(() => {
  for (const name of VARIABLES) vi.stubEnv(name, undefined);
});
afterEach(() => vi.unstubAllEnvs());

test("nothing is said where nothing is known", () => {
  expect(platform.colo()).toBeUndefined();
});

test.each(["VERCEL_REGION", "FLY_REGION", "DENO_REGION", "RAILWAY_REPLICA_REGION"])("%s says where", (name) => {
  vi.stubEnv(name, "iad1");
  vi.stubEnv("AWS_EXECUTION_ENV", "AWS_Lambda_nodejs22.x");
  vi.stubEnv("AWS_REGION", "us-east-1");
  expect(platform.colo()).toBe("iad1");
});

test("AWS_REGION says where on AWS, and elsewhere only what its SDK asks", () => {
  vi.stubEnv("AWS_REGION", "eu-central-1");
  expect(platform.colo()).toBeUndefined();
  vi.stubEnv("AWS_LAMBDA_FUNCTION_NAME", "orders");
  expect(platform.colo()).toBe("eu-central-1");
});
