// The OpenAPI document that the Worker serves: whether it is one, whether what is answered is what it says, and what becomes
// of thousands of requests that are made from it.
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { python } from "../support/python.mjs";
import { OPENAPI_TOOLS, schemathesis, startOpenWorker } from "../support/schemathesis.mjs";

interface Shape {
  content?: Record<string, { schema: object }>;
}
interface Operation {
  operationId: string;
  responses: Record<string, Shape>;
}
interface OpenApi {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
}

/** Problems of the document, then of each answer, as JSON. */
const VALIDATE = `
import json, sys
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
given = json.load(sys.stdin)
document = given["document"]
problems = [str(error) for error in OpenAPIV31SpecValidator(document).iter_errors()]
for answer in given["answers"]:
    schema = {**answer["schema"], "components": document["components"]}
    for error in Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(answer["body"]):
        problems.append(answer["id"] + ": " + error.json_path + ": " + error.message)
print(json.dumps(problems))
`;

let worker: Awaited<ReturnType<typeof startOpenWorker>>;
let document: OpenApi;

beforeAll(async () => {
  worker = await startOpenWorker();
  document = (await (await worker.ask("/admin/api/openapi.json")).json()) as OpenApi;
}, 120_000);
afterAll(() => worker?.rig.stop());

const reason = "a test";
/** What each operation that writes is asked, and what is in its path. One that is not here fails the test. */
const bodies: Record<string, unknown> = {
  replaceConfig: { value: { retry: { attempts: 3 } }, reason },
  replaceFlags: { value: { version: 1, flags: { a: {} } }, reason },
  replaceKill: { value: {}, reason },
  replacePhase: { value: { phase: 1 }, reason },
  explainFlag: { context: { targetingKey: "user-7" } },
  planFlags: { document: { version: 1, flags: {} }, sample: [{ targetingKey: "user-7" }] },
  evaluateFlag: { context: { targetingKey: "user-7" } },
  evaluateFlags: { context: { targetingKey: "user-7" } },
  kill: { flags: ["a"], reason },
  releaseKill: { reason },
  holdCircuit: { state: "closed", reason },
  releaseCircuit: { reason },
  resetCircuit: { reason },
  drainPool: { reason },
  replaceTenant: { tier: "PRO", reason },
  forgetTenant: { reason },
  silenceAlerts: { durationMs: 0, match: { severity: "info" } },
  createToken: { label: "another", role: "viewer", reason },
  rotateToken: { reason },
  revokeToken: { reason },
};
const inPath: Record<string, string> = { name: "flags", database: "primary", id: "acme", key: "a" };
/** They need an alert, which a Worker that is well has not. */
const ALERTS = ["acknowledgeAlert", "silenceAlert"];

test("each route answers what the document says, and the document is one", async () => {
  expect(document).toStrictEqual(JSON.parse(readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8")));
  const made = await worker.ask("/admin/api/tokens", { method: "POST", body: JSON.stringify(bodies.createToken) });
  const { token } = (await made.json()) as { token: { id: string } };
  const answers: object[] = [];
  const all = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== "parameters")
      .map(([method, operation]) => ({ path, method, operation })),
  );
  // What is taken back is taken back last.
  all.sort((one, other) => Number(one.method === "delete") - Number(other.method === "delete"));
  expect(all.length).toBeGreaterThan(40);
  for (const { path, method, operation } of all) {
    const { operationId: id, responses } = operation;
    if (ALERTS.includes(id)) continue;
    const backup = async () => (await worker.ask("/admin/api/backup")).json();
    const body = id === "restore" ? { backup: await backup(), reason } : bodies[id];
    const filled = path.replace(/\{(\w+)\}/, (_, name) =>
      path.includes("/tokens/") ? token.id : (inPath[name] ?? "missing"),
    );
    // A tenant is read once somebody has said something of it.
    if (id === "readTenant") {
      await worker.ask(filled, { method: "PUT", body: JSON.stringify(bodies.replaceTenant) });
    }
    const init = method === "get" ? {} : { body: JSON.stringify(body), headers: { "if-match": "*" } };
    const response = await worker.ask(filled, { method: method.toUpperCase(), ...init });
    const text = await response.text();
    expect([200, 201], `${id}: ${text}`).toContain(response.status);
    const type = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
    const schema = responses[response.status]?.content?.[type]?.schema;
    expect(schema, `${id}: ${response.status} ${type}`).toBeDefined();
    answers.push({ id, schema, body: type.includes("json") ? JSON.parse(text) : text });
  }
  const { output, error } = await python(OPENAPI_TOOLS, VALIDATE, JSON.stringify({ document, answers }));
  expect(error).toBe("");
  expect(JSON.parse(output)).toEqual([]);
}, 300_000);

test("Schemathesis finds no 5xx and nothing that breaks its schema", async () => {
  // That nothing is taken which the document refuses is left to `npm run schemathesis`: how far chance gets in a minute
  // depends on the machine.
  const except = ["negative_data_rejection"];
  const { code, output } = await schemathesis(worker, { seconds: 60, examples: 20, except });
  expect(output).toMatch(/\d+ (generated|passed|test cases)/i);
  expect(code, output).toBe(0);
}, 300_000);
