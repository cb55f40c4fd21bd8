// What `seawall/monitor` exports.
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
export { createMonitor, type Monitor, type MonitorOptions, type Watched } from "./monitor.ts";
