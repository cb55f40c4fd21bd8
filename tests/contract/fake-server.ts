// A server that answers what a test says, to show failures that a real one does not produce on demand.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  /** The parsed JSON body; `undefined` when there was none. */
  readonly body: PipelineBody | undefined;
}

export interface PipelineBody {
  baton: string | null;
  requests: { type: string; batch?: { steps: unknown[] } }[];
}

export interface FakeServer {
  readonly url: string;
  /** Every request that asked for a pipeline, in order. */
  readonly pipelines: FakeRequest[];
}

/**
 * Starts a server on a free port of the loopback interface; it ends with the test.
 *
 * Clients may ask which protocol versions there are; that is answered 404 and not counted in `pipelines`.
 */
export async function fakeServer(
  answer: (request: FakeRequest, response: ServerResponse) => void,
): Promise<FakeServer> {
  const pipelines: FakeRequest[] = [];
  const server: Server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
    incoming.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const request: FakeRequest = {
        method: incoming.method ?? "",
        path: incoming.url ?? "",
        headers: incoming.headers,
        body: text === "" ? undefined : (JSON.parse(text) as PipelineBody),
      };
      if (!request.path.endsWith("/pipeline")) {
        response.writeHead(404).end();
        return;
      }
      pipelines.push(request);
      answer(request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, pipelines };
}

/** Answers with a status, a content type and a body. */
export function reply(status: number, contentType: string, body: string) {
  return (_request: FakeRequest, response: ServerResponse): void => {
    response.writeHead(status, { "content-type": contentType }).end(body);
  };
}

export type WireValue =
  | { type: "null" }
  | { type: "integer"; value: string }
  | { type: "float"; value: number | null }
  | { type: "text"; value: string }
  | { type: "blob"; base64: string };

/** A statement's result with one row. */
export function wireResult(values: Record<string, WireValue>): Record<string, unknown> {
  return {
    cols: Object.keys(values).map((name) => ({ name, decltype: null })),
    rows: [Object.values(values)],
    affected_row_count: 0,
    last_insert_rowid: null,
    replication_index: null,
    rows_read: 0,
    rows_written: 0,
    query_duration_ms: 0,
  };
}

/** A well-formed answer to the pipeline, in which every statement has the same result. */
export function pipelineAnswer(body: PipelineBody, result: Record<string, unknown>, baton: string | null = null) {
  return {
    baton,
    base_url: null,
    results: body.requests.map((request) => ({ type: "ok", response: responseTo(request, result) })),
  };
}

function responseTo(request: PipelineBody["requests"][number], result: Record<string, unknown>) {
  if (request.type === "execute") return { type: "execute", result };
  if (request.type === "batch") {
    const steps = request.batch?.steps ?? [];
    // The last step of a batch of the client's own is the ROLLBACK, which a server skips after a COMMIT.
    return { type: "batch", result: { step_results: steps.map(() => result), step_errors: steps.map(() => null) } };
  }
  if (request.type === "get_autocommit") return { type: "get_autocommit", is_autocommit: true };
  return { type: request.type };
}

/** Answers every pipeline well, with the same result for every statement. */
export function answerWith(result: Record<string, unknown>) {
  return (request: FakeRequest, response: ServerResponse): void => {
    const body = JSON.stringify(pipelineAnswer(request.body as PipelineBody, result));
    response.writeHead(200, { "content-type": "application/json" }).end(body);
  };
}
