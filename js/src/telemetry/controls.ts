// The hand on what watches a database: what was kept, what was sent.

import type { LogRecord } from "./logger.ts";
import type { Observer } from "./observer.ts";
import type { ExportStatus } from "./span.ts";

/** What became of spans and records. */
export interface TelemetryStatus {
  /** Undefined when nothing is traced, or the tracer does not count. */
  spans?: ExportStatus;
  /** Undefined when nothing is logged. */
  logs?: { sinkFailures: number };
}

/** What watches a database. */
export interface TelemetryControls {
  /** Sends the spans that wait. Resolves when they are sent, or given up; never rejects. */
  flush(): Promise<void>;
  status(): TelemetryStatus;
  /** Whether operations are traced. */
  isTracing(): boolean;
  /**
   * The last 200 records of this isolate, oldest first; of them those after the first `seen` that there ever were. `seen`
   * of the answer is what to ask with the next time.
   */
  logs(seen?: number): { records: LogRecord[]; seen: number };
}

/** The same of whoever watches at the moment. */
export function telemetryControlsOf(observer: () => Observer | undefined): TelemetryControls {
  return {
    async flush() {
      await observer()?.tracer?.flush?.();
    },
    status() {
      const { tracer, logger } = observer() ?? {};
      const spans = tracer?.status?.();
      return {
        ...(spans === undefined ? {} : { spans }),
        ...(logger === undefined ? {} : { logs: { sinkFailures: logger.sinkFailures } }),
      };
    },
    isTracing: () => observer()?.tracer !== undefined,
    logs: (seen = 0) => observer()?.logger?.since(seen) ?? { records: [], seen: 0 },
  };
}
