// Schemathesis over the OpenAPI document that a real Worker serves, against that Worker.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { python } from "./python.mjs";
import { startRig } from "./rig.mjs";

const built = (/** @type {string} */ name) => fileURLToPath(new URL(`../../build/${name}`, import.meta.url));
const CONFIG = fileURLToPath(new URL("schemathesis.toml", import.meta.url));
const TOKEN = "t0ken-of-the-operator-that-nobody-may-see";
/** What reads OpenAPI documents, and what they say of requests and responses. */
export const OPENAPI_TOOLS = [
  "schemathesis==4.32.5",
  "openapi-spec-validator==0.9.0",
  "jsonschema[format-nongpl]==4.26.0",
];
const RUN = `
import json, os, sys, tempfile
from schemathesis.cli import schemathesis
arguments = json.load(sys.stdin)
with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    try:
        schemathesis(arguments)
    finally:
        os.chdir("/")
`;

/** A Worker whose admin routes take as much as anybody sends; its `ask` is let in. */
export async function startOpenWorker() {
  const rig = await startRig((url) => ({
    open: {
      modules: [
        { type: "ESModule", path: "index.js", contents: readFileSync(built("index.js"), "utf8") },
        { type: "CompiledWasm", path: "index_bg.wasm", contents: new Uint8Array(readFileSync(built("index_bg.wasm"))) },
      ],
      bindings: {
        TURSO_DATABASE_URL: url,
        SEAWALL_ADMIN_TOKEN: TOKEN,
        SEAWALL_ADMIN_WRITES_PER_MINUTE: 100_000,
        SEAWALL_ADMIN_KILLS_PER_MINUTE: 100_000,
        SEAWALL_ADMIN_FAILURES_PER_MINUTE: 10_000,
        PRODUCTION_MIGRATION_APPROVED: "true",
        SEAWALL_FLAGS: JSON.stringify({ version: 1, flags: { a: {} } }),
      },
      durableObjects: { SEAWALL_STORE: { className: "SeawallStore", useSQLite: true } },
      kvNamespaces: { SEAWALL_KV: "orders" },
    },
  }));
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  return {
    rig,
    /** @param {string} path @param {RequestInit} [init] */
    ask: (path, init = {}) =>
      rig.ask("open", path, { ...init, headers: { ...headers, .../** @type {object} */ (init.headers) } }),
  };
}

/**
 * Runs all checks for so many seconds, or until so many examples of each operation were tried.
 *
 * @param {Awaited<ReturnType<typeof startOpenWorker>>} worker
 * @param {{ seconds: number, examples: number, seed?: number, except?: string[] }} bounds `except` are checks that are left
 *   out.
 */
export async function schemathesis({ rig }, { seconds, examples, seed = 1, except = [] }) {
  const url = await rig.miniflare.unsafeGetDirectURL("open");
  const args = [
    ...["--config-file", CONFIG, "--no-color", "run", new URL("/admin/api/openapi.json", url).href],
    // A preflight carries no token, so it is answered alike for every admin path, and tells nobody which there are.
    ...[
      "--url",
      url.origin,
      "--header",
      `Authorization: Bearer ${TOKEN}`,
      "--checks",
      "all",
      "--exclude-checks",
      ["allow_header_conformance", ...except].join(","),
    ],
    ...["--max-examples", String(examples), "--max-time", String(seconds), "--seed", String(seed)],
    ...["--continue-on-failure", "--generation-database", "none", "--warnings", "off"],
  ];
  return python(OPENAPI_TOOLS, RUN, JSON.stringify(args));
}
