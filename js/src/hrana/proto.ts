// The parts of Hrana over HTTP that this client uses: JSON bodies of `POST {base}/v3/pipeline` and `/v2/pipeline`.

import type { ScannedRows } from "./scan.ts";

/** 3 knows `is_autocommit` conditions; 2 does not. */
export type ProtocolVersion = 2 | 3;

export interface PipelineResponse {
  baton: string | null;
  base_url: string | null;
  results: StreamResult[];
  /** Not of the protocol: whether a replica answered it that lacked what it was asked to have. */
  isStale?: boolean;
}

export type StreamResult = { type: "ok"; response: StreamResponse } | { type: "error"; error: ProtoError };

export interface StreamResponse {
  type: string;
  result?: unknown;
}

export interface ProtoError {
  message: string;
  code?: string | null;
  /** Turso only. */
  extended_code?: string | null;
}

export interface StatementResult {
  cols: Column[];
  rows: unknown[][] | ScannedRows | number;
  affected_row_count: number;
  /** Decimal text of an i64. */
  last_insert_rowid: string | null;
  /** Decimal text of a u64: how far the server's log is. Not in the published protocol. */
  replication_index?: string | null;
}

export interface Column {
  name?: string | null;
  decltype?: string | null;
}

export interface BatchResult {
  step_results: (StatementResult | null)[];
  step_errors: (ProtoError | null)[];
  /** As in {@link StatementResult}; those of the steps are empty. */
  replication_index?: string | null;
}

/** Server limits on `store_sql`, per stream. */
export const STORED_TEXTS_MAX = 50;
/** In UTF-8 bytes. */
export const STORED_TEXT_BYTES_MAX = 5_000;
