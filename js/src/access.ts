// One floor at one endpoint: how the operations of a client, of a view or of one transaction are sent.
import type { Consistency, EndpointIndex, Post, WaitContext } from "./consistency/consistency.ts";
import type { Floor } from "./consistency/log-index.ts";
import { primaryIndexRequest } from "./hrana/encode.ts";
import type { Pipeline } from "./hrana/pipeline.ts";
import type { PipelineResponse, StreamResult } from "./hrana/proto.ts";
import type { StatementKind } from "./operation.ts";

/** See {@link Consistency}. */
export class Access {
  readonly #consistency: Consistency;
  readonly #endpoint: EndpointIndex;
  readonly #pipeline: Pipeline;
  readonly floor: Floor;

  constructor(consistency: Consistency, endpoint: EndpointIndex, pipeline: Pipeline, floor: Floor) {
    this.#consistency = consistency;
    this.#endpoint = endpoint;
    this.#pipeline = pipeline;
    this.floor = floor;
  }

  /** The same floor at another endpoint; without one, at this. */
  at(endpoint: { readonly seen: EndpointIndex; readonly pipeline: Pipeline } | undefined): Access {
    if (endpoint === undefined) return this;
    return new Access(this.#consistency, endpoint.seen, endpoint.pipeline, this.floor);
  }

  /** The index that reads ask for; empty for none. */
  get asked(): string {
    return this.#consistency.askedOn(this.floor);
  }

  /** `"opening"` asks for the floor and leaves it where it is: what the statement wrote is told by its COMMIT. */
  send(kind: StatementKind | "opening", isRepeatable: boolean, cx: WaitContext, post: Post): Promise<PipelineResponse> {
    const intent = { floor: this.floor, kind: kind === "opening" ? "read" : kind, isRepeatable } as const;
    return this.#consistency.send(intent, this.#endpoint, cx, post, this.#askPrimary);
  }

  /** Whether to ask after a script how far it came. */
  get asksAfterScripts(): boolean {
    return this.#consistency.asksAfterScripts;
  }

  /** A COMMIT was answered. */
  wrote(result: StreamResult): void {
    if (result.type !== "ok") return;
    const value = result.response.result as { replication_index?: unknown } | undefined;
    this.#consistency.wrote(this.floor, value?.replication_index);
  }

  readonly #askPrimary: Post = (_, signal) =>
    this.#pipeline.send(primaryIndexRequest, true, this.#pipeline.address, signal);
}
