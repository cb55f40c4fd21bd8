// What `seawall/monitor` exports.
export { createMonitor, type Monitor, type MonitorOptions, type Watched } from "./monitor.ts";
