// Written from src/policy/tier.rs by `UPDATE=1 cargo test --test conformance generated`. Do not edit.

/** What a tier gives. Times are in milliseconds. */
export const TIERS = {
  FREE: {
    minConnections: 2,
    maxConnections: 5,
    maxConcurrent: 20,
    timeout: 10000,
    priority: "low",
  },
  STARTER: {
    minConnections: 5,
    maxConnections: 10,
    maxConcurrent: 50,
    timeout: 30000,
    priority: "medium",
  },
  PRO: {
    minConnections: 10,
    maxConnections: 50,
    maxConcurrent: 200,
    timeout: 60000,
    priority: "high",
  },
  ENTERPRISE: {
    minConnections: 20,
    maxConnections: 100,
    maxConcurrent: 500,
    timeout: 120000,
    priority: "critical",
  },
} as const;
