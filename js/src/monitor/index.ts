// What `seawall/monitor` exports.
export { createMonitor, type Monitor, type MonitorOptions, type MonitorTelemetry, type Watched } from "./monitor.ts";
