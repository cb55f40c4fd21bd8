// What `seawall/monitor` exports.
export type { DatabaseOverview, HealthAlert, HealthDocument, MonitorMetrics, Overview } from "./documents.ts";
export { createMonitor, getDatabaseMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";
export type { Watchable, WatchedClient, WatchedControls, WatchedGuard, WatchedTenants } from "./watched.ts";
