// Alerts from within the process: what `createMonitor` is told of them, and what comes back.

/** From where on something is worth an alert. */
export interface AlertThresholds {
  /** A lower health score, 0 to 100; 70 by default. */
  healthScore?: number;
  /** A higher utilization of the pool, in percent; 80 by default. */
  poolUtilization?: number;
  /** A longer mean time of the last minute's queries, in milliseconds; 1,000 by default. */
  queryTime?: number;
  /** A higher share of the last minute's attempts that failed, in percent; 5 by default. */
  errorRate?: number;
  /** So many operations of the last minute that got no connection in time, or more; 1 by default, 0 for none. */
  connectionTimeouts?: number;
}

/** What a receiver wants to be sent. */
export type AlertSinkKind =
  | "generic"
  | "cloudevents"
  | "slack"
  | "discord"
  | "pagerduty"
  | "alertmanager"
  | "alertmanager-webhook";

/** A receiver of alerts. */
export interface AlertSink {
  /** What it is called in lists and metrics: up to 40 letters, digits, `-` and `_`. */
  name: string;
  /** What it wants to be sent; by default what its host is known to want, or `generic`. */
  kind?: AlertSinkKind;
  /** `https:` on port 443 of a public host. PagerDuty has a default. */
  url?: string;
  /** Secrets to sign with, `whsec_` and the Base64 of 24 to 64 bytes, the newest first: Standard Webhooks. */
  secrets?: readonly string[];
  /** PagerDuty's key of the integration. */
  routingKey?: string;
  /** Sent as `authorization`. */
  authorization?: string;
}

/** A burn rate of the error budget that is worth an alert, while both windows burn faster. */
export interface BurnRateRule {
  name: string;
  /** How many times faster than `objective` allows. */
  factor: number;
  longMs: number;
  shortMs: number;
  severity: AlertSeverity;
  /** Fewer attempts in the long window say nothing; 20 by default. */
  attemptsMin?: number;
}

/** The option `alerts` of `createMonitor`. */
export interface AlertsOptions {
  /** Whether anything is watched, listed and told; `true` by default. */
  enabled?: boolean;
  /** Where alerts are posted, in the form that its host is known to want. */
  webhookUrl?: string;
  thresholds?: AlertThresholds;
  /** How long after one message the same alert is not told again, in milliseconds; 300,000 by default. */
  coolDownMs?: number;
  /** Further receivers, at most 10. */
  sinks?: readonly AlertSink[];
  /** The only hosts that are sent to, if there are any. */
  allowedHosts?: readonly string[];
  /** Hosts of the service itself, which are never sent to. */
  ownHosts?: readonly string[];
  /** How long a receiver is waited for, in milliseconds; 10,000 by default and at most. */
  timeoutMs?: number;
  /** The part of attempts that must succeed, which burn rates are reckoned from; 0.999 by default. */
  objective?: number;
  /** Burn rates that are worth an alert; those of the SRE workbook by default. */
  rules?: readonly BurnRateRule[];
}

export type AlertSeverity = "info" | "warning" | "critical";

/** An alert. */
export interface Alert {
  /** Names one firing of it. */
  readonly id: string;
  readonly rule: string;
  readonly database: string;
  readonly severity: AlertSeverity;
  readonly message: string;
  /** What was found, and what it was compared with. */
  readonly value: number;
  readonly threshold: number;
  /** The circuit's state, for alerts of a circuit. */
  readonly state?: string;
  readonly stage: "firing" | "acknowledged" | "resolved";
  readonly firedAtMs: number;
  readonly acknowledgedAtMs?: number;
  readonly acknowledgedBy?: string;
  readonly resolvedAtMs?: number;
}

/** Which alerts: those that have all that is given. `severity` matches what is not worse. */
export interface AlertMatcher {
  rule?: string;
  database?: string;
  severity?: AlertSeverity;
}

/** All there is of alerts. */
export interface AlertList {
  readonly alerts: readonly Alert[];
  /** Those that are over, the latest first. */
  readonly history: readonly Alert[];
  readonly silences: readonly { match: AlertMatcher; untilMs: number; reason: string; by: string }[];
  /** Who is told; of an address, which is a secret, no more than scheme and host. */
  readonly sinks: readonly { name: string; kind: AlertSinkKind; url: string; isSigned: boolean; isGone: boolean }[];
  /** Messages that are still to be sent. */
  readonly pending: number;
  /** Conditions that found no room. */
  readonly dropped: number;
}

/** What can be ordered of alerts. Each order gives the list as it is afterwards. */
export interface MonitorAlerts {
  list(): Promise<AlertList>;
  /** @throws AlertOrderError `ALERT_NOT_FOUND`, `ALERT_RESOLVED`, `STORE_BUSY` or `OUTCOME_UNKNOWN`. */
  acknowledge(id: string, by?: string): Promise<AlertList>;
  /**
   * Tells nothing for a while of an alert's rule and database, or of all that match; with `durationMs: 0` it ends that.
   *
   * @throws AlertOrderError as for {@link acknowledge}, and `TOO_MANY_SILENCES` or `BODY_UNUSABLE`.
   */
  silence(
    alerts: string | AlertMatcher,
    order: { durationMs: number; reason?: string; by?: string },
  ): Promise<AlertList>;
}

/** Why an order about alerts was not carried out. */
export class AlertOrderError extends Error {
  override readonly name = "AlertOrderError";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}
