// Writes deploy/grafana/dashboard.json, which is checked in: `node scripts/grafana.mjs`. A test compares the two.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  DashboardBuilder,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries";
import { ROOT } from "./toolchain.mjs";

export const DASHBOARD = "deploy/grafana/dashboard.json";

// biome-ignore lint/suspicious/noTemplateCurlyInString: Grafana fills it in.
const SOURCE = { type: "prometheus", uid: "${datasource}" };
/** What every panel looks at: the jobs, instances and pools that the reader has chosen. */
const CHOSEN = 'job=~"$job",instance=~"$instance"';
const OF_POOL = `${CHOSEN},pool=~"$pool"`;
const FAILED = 'outcome=~"timeout|network|server_error|rate_limited|bad_response"';

/**
 * @typedef {{ title: string, about: string, unit: string, targets: [string, string][] }} Panel
 * A target is an expression and the name of its series.
 */

/** @type {{ title: string, kind: "stat" | "timeseries", panels: Panel[] }[]} */
const ROWS = [
  {
    title: "At a glance",
    kind: "stat",
    panels: [
      {
        title: "Health score",
        about: "The lowest score of any instance, 0 to 100. Below 70 somebody is told; a deployment wants 85.",
        unit: "short",
        targets: [[`min(seawall_health_score{${CHOSEN}})`, "score"]],
      },
      {
        title: "Open circuits",
        about: "Pools whose circuit is open in any instance: their operations are refused without being sent.",
        unit: "short",
        targets: [
          [
            `count(max by (job, pool) (seawall_circuit_breaker_state{${OF_POOL},state="OPEN"}) == 1) or vector(0)`,
            "open",
          ],
        ],
      },
      {
        title: "Failures",
        about: "The share of the attempts of the last five minutes that the database did not carry out.",
        unit: "percentunit",
        targets: [
          [
            `sum(rate(seawall_operations_total{${OF_POOL},${FAILED}}[$__rate_interval])) / sum(rate(seawall_operations_total{${OF_POOL}}[$__rate_interval]))`,
            "failures",
          ],
        ],
      },
      {
        title: "Pool in use",
        about: "Connections in use as a share of the most that may be, in the fullest pool.",
        unit: "percentunit",
        targets: [[`max(seawall_pool_utilization_ratio{${OF_POOL}})`, "in use"]],
      },
    ],
  },
  {
    title: "Operations",
    kind: "timeseries",
    panels: [
      {
        title: "Attempts by outcome",
        about: "What became of what was sent to the database.",
        unit: "ops",
        targets: [[`sum by (outcome) (rate(seawall_operations_total{${OF_POOL}}[$__rate_interval]))`, "{{outcome}}"]],
      },
      {
        title: "Refused operations",
        about: "Operations that a policy ended without the database, by code: docs/errors.md says what each means.",
        unit: "ops",
        targets: [[`sum by (code) (rate(seawall_refusals_total{${OF_POOL}}[$__rate_interval]))`, "{{code}}"]],
      },
      {
        title: "Duration",
        about: "Median, 95th and 99th percentile of operations.",
        unit: "s",
        targets: [0.5, 0.95, 0.99].map((quantile) => [
          `histogram_quantile(${quantile}, sum by (le) (rate(db_client_operation_duration_seconds_bucket{${CHOSEN}}[$__rate_interval])))`,
          `p${quantile * 100}`,
        ]),
      },
      {
        title: "Retries",
        about: "Attempts beyond an operation's first, and those that the budget did not allow.",
        unit: "ops",
        targets: [
          [`sum(rate(seawall_retries_total{${OF_POOL}}[$__rate_interval]))`, "made"],
          [`sum(rate(seawall_retries_denied_total{${OF_POOL}}[$__rate_interval]))`, "denied"],
        ],
      },
    ],
  },
  {
    title: "Circuit",
    kind: "timeseries",
    panels: [
      {
        title: "Circuit breaker state",
        about: "1 for the state that a pool's circuit is in; of several instances the worst is shown.",
        unit: "short",
        targets: [[`max by (pool, state) (seawall_circuit_breaker_state{${OF_POOL}})`, "{{pool}} {{state}}"]],
      },
      {
        title: "Changes of the circuit",
        about: "How often circuits opened, half opened and closed.",
        unit: "short",
        targets: [
          [
            `sum by (from, to) (increase(seawall_circuit_breaker_transitions_total{${OF_POOL}}[$__rate_interval]))`,
            "{{from}} to {{to}}",
          ],
        ],
      },
      {
        title: "Error budget",
        about:
          "How many times faster than an objective of 99.9 % allows the budget burns, in four windows. Needs the recording rules.",
        unit: "short",
        targets: ["1h", "6h", "1d", "3d"].map((window) => [
          `max by (pool) (job_pool:seawall_failed_operations:ratio_rate${window}{job=~"$job",pool=~"$pool"}) / 0.001`,
          `{{pool}} ${window}`,
        ]),
      },
    ],
  },
  {
    title: "Pool",
    kind: "timeseries",
    panels: [
      {
        title: "Connections",
        about: "Connections by state, and the most that may be.",
        unit: "short",
        targets: [
          [`sum by (state) (db_client_connections{${OF_POOL}})`, "{{state}}"],
          [`sum(db_client_connection_max{${OF_POOL}})`, "most"],
        ],
      },
      {
        title: "Waiting operations",
        about: "Operations that wait for a connection, and those that got none in time.",
        unit: "short",
        targets: [
          [`sum(db_client_connection_pending_requests{${OF_POOL}})`, "waiting"],
          [`sum(increase(db_client_connection_timeouts_total{${OF_POOL}}[$__rate_interval]))`, "timed out"],
        ],
      },
      {
        title: "Query cache",
        about: "Reads that were served from memory, and those that were not.",
        unit: "ops",
        targets: [[`sum by (result) (rate(seawall_cache_requests_total{${OF_POOL}}[$__rate_interval]))`, "{{result}}"]],
      },
    ],
  },
  {
    title: "Alerts",
    kind: "timeseries",
    panels: [
      {
        title: "Deliveries of alerts",
        about: "What became of messages to receivers of alerts.",
        unit: "short",
        targets: [
          [
            `sum by (sink, outcome) (increase(seawall_webhook_deliveries_total{${CHOSEN}}[$__rate_interval]))`,
            "{{sink}} {{outcome}}",
          ],
        ],
      },
    ],
  },
];

const HEIGHT = { stat: 5, timeseries: 8 };
const WIDTH = 24;

/** The dashboard as text. */
export function dashboard() {
  const builder = new DashboardBuilder("Seawall")
    .uid("seawall")
    .description("Health, circuits, pools and alerts of databases behind Seawall. Written by scripts/grafana.mjs.")
    .tags(["seawall", "database"])
    .time({ from: "now-6h", to: "now" })
    .refresh("15s")
    .readonly()
    .withVariable(new DatasourceVariableBuilder("datasource").label("Data source").type("prometheus"))
    .withVariable(choice("job", "Job", "label_values(seawall_build_info, job)"))
    .withVariable(choice("instance", "Instance", 'label_values(seawall_build_info{job=~"$job"}, instance)'))
    .withVariable(choice("pool", "Pool", 'label_values(seawall_operations_total{job=~"$job"}, pool)'));
  let y = 0;
  for (const { kind, panels } of ROWS) {
    const w = Math.floor(WIDTH / panels.length);
    panels.forEach((panel, index) => {
      builder.withPanel(panelOf(kind, panel).gridPos({ x: index * w, y, w, h: HEIGHT[kind] }));
    });
    y += HEIGHT[kind];
  }
  return `${JSON.stringify(builder.build(), null, 2)}\n`;
}

/** @param {string} name @param {string} label @param {string} query */
function choice(name, label, query) {
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query(query)
    .multi(true)
    .includeAll(true)
    .allValue(".+");
}

/** @param {"stat" | "timeseries"} kind @param {Panel} panel */
function panelOf(kind, { title, about, unit, targets }) {
  const builder = kind === "stat" ? new StatBuilder() : new TimeseriesBuilder();
  builder.title(title).description(about).unit(unit).datasource(SOURCE);
  for (const [index, [expr, legend]] of targets.entries()) {
    const refId = String.fromCharCode(65 + index);
    builder.withTarget(new DataqueryBuilder().refId(refId).expr(expr).legendFormat(legend).datasource(SOURCE));
  }
  return builder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(join(ROOT, DASHBOARD), dashboard());
