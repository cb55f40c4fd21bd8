// The orders of src/http/alerts.rs, from within the process.
import { type AlertList, AlertOrderError, type MonitorAlerts } from "./alerts.ts";
import { carriedOut, type Host } from "./exchange.ts";
import type { LiveCore } from "./live-core.ts";

/** The orders, carried out by `live` for `host`. */
export function alertsOf(live: LiveCore, host: Host): MonitorAlerts {
  const give = async (order: object): Promise<AlertList> => {
    const text = JSON.stringify(order);
    const core = live.get();
    const responded = await carriedOut(core, host, () => core.alerts(text));
    const body = JSON.parse(responded?.body ?? "{}");
    if (responded?.status !== 200) throw new AlertOrderError(body.code, body.detail);
    return body;
  };
  return {
    list: () => give({ order: "list" }),
    acknowledge: (id, by = "") => give({ order: "acknowledge", id, by }),
    silence: (alerts, order) =>
      give({ order: "silence", ...order, ...(typeof alerts === "string" ? { id: alerts } : { match: alerts }) }),
  };
}
