// What `seawall/monitor` exports.
export type { Store } from "../store/store.ts";
export type { StrongStore } from "../store/strong.ts";
export { createMonitor, type Monitor, type MonitorOptions, type Watched } from "./monitor.ts";
