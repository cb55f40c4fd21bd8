// The health routes.
import { expect } from "vitest";
import { NUMBER, type RouteCase, TIME } from "./cases.ts";

const JSON_TYPE = "application/json";
const DRAFT = { accept: "application/health+json" };
const FRESH = { "cache-control": "no-store", "x-content-type-options": "nosniff" };

const document = (is: { status: string; connected: boolean; circuit: unknown; checks: unknown; alerts: unknown }) => ({
  status: is.status,
  timestamp: TIME,
  uptime: NUMBER,
  database: {
    connected: is.connected,
    connectionPool: { total: 5, active: 0, idle: 5, utilization: 0 },
    performance: {
      averageQueryTime: NUMBER,
      slowQueries: NUMBER,
      successfulQueries: NUMBER,
      failedQueries: NUMBER,
      errorRate: NUMBER,
    },
    reliability: {
      circuitBreaker: { state: is.circuit, failures: NUMBER, successes: NUMBER, requests: NUMBER },
      activeOperations: 0,
      timeouts: NUMBER,
    },
  },
  checks: is.checks,
  alerts: is.alerts,
});

const well = document({
  status: "healthy",
  connected: true,
  circuit: "CLOSED",
  checks: { connectivity: true, queryPerformance: true, poolHealth: true, circuitBreakerState: true },
  alerts: [],
});

const check = (componentType: string, more: object = {}) => [
  { componentId: "primary", componentType, observedValue: NUMBER, status: "pass", time: TIME, ...more },
];

const draft = {
  status: "pass",
  version: "1",
  releaseId: expect.stringMatching(/^\d+\.\d+\.\d+$/),
  serviceId: "seawall",
  description: expect.any(String),
  notes: [expect.stringContaining("one isolate")],
  checks: {
    "libsql:responseTime": check("datastore", { observedUnit: "ms" }),
    "libsql:averageQueryTime": check("datastore", { observedUnit: "ms" }),
    "libsql:errorRate": check("datastore", { observedUnit: "percent" }),
    "pool:utilization": check("component", { observedUnit: "percent" }),
    "pool:connections": check("component", { observedUnit: "connections" }),
    "breaker:state": check("component", { observedValue: "CLOSED" }),
    "health:score": check("component", { observedUnit: "points", observedValue: 100 }),
    uptime: [{ componentType: "system", observedValue: NUMBER, observedUnit: "s", status: "pass", time: TIME }],
    "memory:wasm": [{ componentType: "system", observedValue: NUMBER, observedUnit: "B", status: "pass", time: TIME }],
  },
};

const gates = (passes: boolean) => ({
  deploy: { scoreMin: 85, passes },
  alert: { scoreMin: 70, passes },
  custom: { scoreMin: 80, passes },
});

export const HEALTH: RouteCase[] = [
  {
    title: "HLT-01, HLT-06 to HLT-19: the health document has exactly its shape",
    path: "/api/health",
    status: 200,
    answers: { "content-type": JSON_TYPE, ...FRESH, vary: "accept", "seawall-scope": "isolate" },
    shape: well,
  },
  { title: "HLT-05: the platform's name for it", path: "/api/platform/health", status: 200, shape: well },
  { title: "a slash at the end makes no difference", path: "/api/health/", status: 200, shape: well },
  { title: "neither does a query", path: "/api/health?verbose=1", status: 200, shape: well },
  { title: "HEAD has the headers and no body", method: "HEAD", path: "/api/health", status: 200, shape: /^$/ },
  {
    title: "the draft's shape, for those who ask for it",
    path: "/api/health",
    headers: DRAFT,
    status: 200,
    answers: { "content-type": /^application\/health\+json$/, ...FRESH, vary: "accept" },
    shape: draft,
  },
  {
    title: "a weight of zero does not ask for it",
    path: "/api/health",
    headers: { accept: "application/health+json;q=0" },
    status: 200,
    answers: { "content-type": JSON_TYPE },
    shape: well,
  },
  {
    title: "HLT-03: it lives",
    path: "/api/health/live",
    status: 200,
    answers: { "content-type": JSON_TYPE, ...FRESH },
    shape: { alive: true, timestamp: TIME },
  },
  { title: "HLT-03 and HLT-05: its other name", path: "/api/platform/health/live", status: 200 },
  {
    title: "HLT-04: it is ready",
    path: "/api/health/ready",
    status: 200,
    answers: { "content-type": JSON_TYPE, ...FRESH },
    shape: { ready: true, timestamp: TIME },
  },
  {
    title: "HLT-26: the score lets a deployment go on",
    path: "/api/health/score",
    status: 200,
    answers: FRESH,
    shape: {
      scope: "isolate",
      timestamp: TIME,
      score: 100,
      critical: 0,
      gates: gates(true),
      databases: { primary: { score: 100, parts: [] } },
    },
  },
  {
    title: "HLT-28 and HLT-31: everything at a glance",
    path: "/api/status",
    status: 200,
    answers: FRESH,
    shape: {
      scope: "isolate",
      timestamp: TIME,
      uptime_ms: NUMBER,
      memory_bytes: NUMBER,
      orders: {},
      follow: expect.objectContaining({ interval_ms: 500 }),
      flags: { ready: false, revision: 0, version: 0, kill_version: 0, age_ms: NUMBER, count: 0, failing: [] },
      config: {
        load_balancing: false,
        load_balance_strategy: "off",
        failover: false,
        query_cache: false,
        metrics: expect.any(Boolean),
        tracing: expect.any(Boolean),
      },
      databases: {
        primary: {
          config: { type: "libsql", min_connections: NUMBER, max_connections: 5 },
          pool_stats: {
            total_connections: 5,
            active_connections: 0,
            idle_connections: NUMBER,
            pending_requests: 0,
            pool_utilization: 0,
            success_rate: 1,
          },
          state: "healthy",
          health_score: 100,
          circuit_breaker: { state: "CLOSED", failures: 0 },
          connections: expect.any(Array),
        },
      },
      cache_stats: { size: 0, utilization: 0, hit_rate: 0 },
    },
  },
  {
    title: "H016: OPTIONS tells the methods and lets no other origin in",
    method: "OPTIONS",
    path: "/api/health",
    headers: { origin: "https://evil.example", "access-control-request-method": "GET" },
    status: 204,
    answers: { allow: "GET, HEAD, OPTIONS", "access-control-allow-origin": null, "access-control-allow-methods": null },
    shape: /^$/,
  },
  {
    title: "a path that is not there is a problem",
    path: "/api/helth",
    status: 404,
    answers: { "content-type": "application/problem+json", ...FRESH },
    shape: {
      code: "NOT_FOUND",
      title: "Not found",
      status: 404,
      detail: "There is nothing at this path.",
      instance: "/api/helth",
    },
  },
  {
    title: "HLT-01 and H146: a database that is gone is unhealthy, in the same shape",
    state: "away",
    path: "/api/health",
    status: 503,
    shape: document({
      status: "unhealthy",
      connected: false,
      circuit: expect.stringMatching(/^(?:OPEN|HALF_OPEN|CLOSED)$/),
      checks: {
        connectivity: false,
        queryPerformance: expect.any(Boolean),
        poolHealth: true,
        circuitBreakerState: expect.any(Boolean),
      },
      alerts: expect.arrayContaining([
        { name: "connectivity", severity: "critical", message: "The database does not answer." },
      ]),
    }),
  },
  {
    title: "HLT-04: then it is not ready",
    state: "away",
    path: "/api/health/ready",
    status: 503,
    shape: { ready: false, timestamp: TIME },
  },
  {
    title: "HLT-03: and lives",
    state: "away",
    path: "/api/health/live",
    status: 200,
    shape: { alive: true, timestamp: TIME },
  },
  { title: "the draft says fail", state: "away", path: "/api/health", headers: DRAFT, status: 503, shape: /"fail"/ },
  { title: "HEAD says it as well", state: "away", method: "HEAD", path: "/api/health/ready", status: 503, shape: /^$/ },
  { title: "HLT-26: no gate is open", state: "away", path: "/api/health/score", status: 200, shape: /"passes":false/ },
  { title: "H144: a database that hangs is not ready", state: "hanging", path: "/api/health/ready", status: 503 },
  { title: "H144: it is unhealthy", state: "hanging", path: "/api/health", status: 503 },
  { title: "H144: and lives at once", state: "hanging", path: "/api/health/live", status: 200 },
];

for (const method of ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"]) {
  for (const path of ["/api/health", "/api/health/live", "/api/health/ready", "/api/health/score", "/api/status"]) {
    HEALTH.push({
      title: `H012: ${method} ${path} is refused`,
      method,
      path,
      status: 405,
      answers: { allow: /^GET, HEAD$/, "content-type": "application/problem+json" },
      shape: { code: "METHOD_NOT_ALLOWED", title: "Method not allowed", status: 405, detail: expect.any(String) },
    });
  }
}
