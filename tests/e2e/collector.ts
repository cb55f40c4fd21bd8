// A collector that takes OTLP/HTTP: a real server that keeps what it gets, and OpenTelemetry's own schema, which reads it strictly.
import { readFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import { python } from "../support/python.mjs";
import type { Module } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";

/** What the database and the collector are shown, and nobody else. */
export const SECRET = "token-that-nobody-may-see";
export const KEY = "key-that-nobody-may-see";
/** What a request of these tests comes from. */
export const TRACE = "0af7651916cd43dd8448eb211c80319c";
export const PARENT = "b7ad6b7169203331";

/** A request that the collector got. */
export interface Got {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A collector that runs. */
export interface Collector {
  readonly endpoint: string;
  /** What it got, in the order in which it came. */
  readonly got: Got[];
  /** Forgets what it got. */
  clear(): void;
  /** What OpenTelemetry's schema makes of all that it got; throws for what that does not know. */
  parsed(): Promise<unknown[]>;
  stop(): Promise<void>;
}

const PACKAGES = ["opentelemetry-proto==1.45.2"];
/** Ids are bytes in the schema, base64 in its own JSON and hexadecimal in OTLP's: the one thing to convert. */
const CHECK = `
import base64, json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
TYPES = {"/v1/traces": ExportTraceServiceRequest, "/v1/logs": ExportLogsServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
def converted(value):
    if isinstance(value, list):
        return [converted(item) for item in value]
    if isinstance(value, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else converted(v) for k, v in value.items()}
    return value
found = []
for request in json.load(sys.stdin):
    message = TYPES[request["path"]]()
    json_format.ParseDict(converted(json.loads(request["body"])), message)
    found.append(json_format.MessageToDict(message))
print(json.dumps(found))
`;

/** Starts one. */
export async function startCollector(): Promise<Collector> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push({ path: request.url ?? "", headers: request.headers, body });
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    clear() {
      got.length = 0;
    },
    async parsed() {
      const { code, output, error } = await python(PACKAGES, CHECK, JSON.stringify(got));
      expect(error).toBe("");
      expect(code).toBe(0);
      return JSON.parse(output);
    },
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

type Variables = Record<string, string>;

/** Deployable Workers, and the collector that they tell. */
export interface Told {
  readonly rig: Rig;
  readonly collector: Collector;
  /** Asks a Worker for something small until the collector got what is wanted: background work begins after a response. */
  exported(worker: string, isWanted: (got: Got) => boolean): Promise<Got>;
  stop(): Promise<void>;
}

const built = (name: string) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));

/**
 * Starts Workers by their variables: `variablesOf` is given those that all need, and those by which one tells the collector,
 * which are more.
 */
export async function startTold(
  variablesOf: (own: Variables, told: Variables) => Record<string, Variables>,
): Promise<Told> {
  const collector = await startCollector();
  const modules: Module[] = [
    { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
    { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
  ];
  const rig = await startRig((url) => {
    const own = { TURSO_DATABASE_URL: url, TURSO_AUTH_TOKEN: SECRET, OTEL_METRIC_EXPORT_INTERVAL: "1000" };
    const told = {
      ...own,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_HEADERS: `x-key=${KEY}`,
      OTEL_SERVICE_NAME: "shop",
    };
    const workers = Object.entries(variablesOf(own, told));
    return Object.fromEntries(workers.map(([name, bindings]) => [name, { modules, bindings }]));
  });
  return {
    rig,
    collector,
    async exported(worker, isWanted) {
      await until("an export", async () => {
        await rig.ask(worker, "/api/health/live");
        return collector.got.some(isWanted);
      });
      return collector.got.find(isWanted) as Got;
    },
    async stop() {
      await rig.stop();
      await collector.stop();
    },
  };
}
