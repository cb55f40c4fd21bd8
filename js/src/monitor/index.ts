// What `seawall/monitor` exports.
export type { Store } from "../store/store.ts";
export type { StrongStore } from "../store/strong.ts";
export type { DatabaseOverview, HealthAlert, HealthDocument, MonitorMetrics, Overview } from "./documents.ts";
export type {
  BusinessMetrics,
  Counter,
  Gauge,
  Histogram,
  HistogramOptions,
  LabelValues,
  MetricOptions,
  MetricsTextOptions,
} from "./metrics.ts";
export { createMonitor, getDatabaseMonitor, type Monitor, type MonitorOptions } from "./monitor.ts";
export type { Watchable, WatchedClient, WatchedControls, WatchedGuard, WatchedTenants } from "./watched.ts";
