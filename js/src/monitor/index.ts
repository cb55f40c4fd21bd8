// What `seawall/monitor` exports.

export type { Store } from "../store/store.ts";
export type { Change, StrongStore } from "../store/strong.ts";
export {
  type Alert,
  type AlertList,
  type AlertMatcher,
  AlertOrderError,
  type AlertSeverity,
  type AlertSink,
  type AlertSinkKind,
  type AlertsOptions,
  type AlertThresholds,
  type BurnRateRule,
  type MonitorAlerts,
} from "./alerts.ts";
export type {
  DatabaseOverview,
  FlagsOverview,
  HealthAlert,
  HealthDocument,
  MonitorMetrics,
  Overview,
  SplitMismatch,
} from "./documents.ts";
export type { Exposure, ExposureSource } from "./exposures.ts";
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
export {
  type AccessOptions,
  type AdminOptions,
  type AdminRole,
  createMonitor,
  getDatabaseMonitor,
  type Monitor,
  type MonitorFlags,
  type MonitorOptions,
  type MonitorTelemetry,
} from "./monitor.ts";
export type { OrderListener, OrderName, SeenOrder, SeenOrders, VerifiedListener } from "./orders.ts";
export { MonitorRestartedError } from "./restarted.ts";
export type { Watchable, WatchedClient, WatchedControls, WatchedGuard, WatchedTenants } from "./watched.ts";
