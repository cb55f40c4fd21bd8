// What is looked at before a deployment, at a real server.
import { createClient, preflight } from "seawall";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startSqld } from "../support/sqld.mjs";

let sqld: Awaited<ReturnType<typeof startSqld>>;
beforeAll(async () => {
  sqld = await startSqld();
});
afterAll(() => sqld?.stop());

test("EVD-08: the database is asked SELECT 1, and what that took is told", async () => {
  const client = createClient({ url: sqld.url });
  const [database] = await preflight(client);
  expect(database).toMatchObject({ what: "database", level: "ok" });
  expect(database?.latencyMs).toBeGreaterThanOrEqual(0);
  expect(database?.message).toContain(`${database?.latencyMs} ms`);
  client.close();
});

test("EVD-08: a database that does not answer is an error with its cause, and without its token", async () => {
  const client = createClient({
    url: "http://127.0.0.1:9",
    authToken: "canary-token",
    seawall: { retry: { attempts: 1 }, timeouts: { query: 2_000 } },
  });
  const [database] = await preflight(client);
  expect(database).toMatchObject({ what: "database", level: "error", cause: expect.any(Error) });
  expect(database?.message).toMatch(/did not answer SELECT 1/);
  expect(JSON.stringify(database)).not.toContain("canary-token");
  client.close();
});

test("EVD-07: a missing command of Vercel's is a warning, and no more", async () => {
  const client = createClient({ url: sqld.url });
  const command = async (versionOf?: (command: string) => Promise<string | undefined>) =>
    (await preflight(client, versionOf && { versionOf })).find(({ what }) => what === "vercel-cli");
  expect(await command()).toMatchObject({ level: "warning", message: expect.stringContaining("npm i -g vercel") });
  expect(await command(async () => undefined)).toMatchObject({ level: "warning" });
  expect(await command(() => Promise.reject(new Error("not found")))).toMatchObject({ level: "warning" });
  expect(await command(async (name) => (name === "vercel" ? "41.0.0" : undefined))).toMatchObject({
    level: "ok",
    message: expect.stringContaining("41.0.0"),
  });
  client.close();
});
