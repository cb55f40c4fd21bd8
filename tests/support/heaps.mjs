// The JavaScript heaps of a workerd, by its inspector: what is left in each once its garbage is collected.
import assert from "node:assert/strict";
import { fetch } from "miniflare";

/** The inspector of an isolate that does not answer within this time never will, in milliseconds. */
const PATIENCE_MS = 30_000;

/** The heaps of one workerd. Its Miniflare must have been given an `inspectorPort`. */
export class Heaps {
  /** One connection for each isolate, kept open: to close one while its isolate is at work can hang the isolate. */
  #isolates;
  #last = 0;

  /** @param {Map<string, import("miniflare").WebSocket>} isolates */
  constructor(isolates) {
    this.#isolates = isolates;
  }

  /** @param {import("miniflare").Miniflare} miniflare */
  static async of(miniflare) {
    const { host } = await miniflare.getInspectorURL();
    const targets = await (await fetch(`http://${host}/json`)).json();
    /** @type {Map<string, import("miniflare").WebSocket>} */
    const isolates = new Map();
    for (const { id } of /** @type {{ id: string }[]} */ (targets)) {
      const { webSocket } = await fetch(`http://${host}/${id}`, { headers: { upgrade: "websocket" } });
      assert(webSocket, `no inspector of ${id}`);
      webSocket.accept();
      isolates.set(id.replace(/^core:user:/, ""), webSocket);
    }
    return new Heaps(isolates);
  }

  /**
   * Collects all garbage, then tells what is in use.
   *
   * Without it, what workerd holds says little: an isolate collects only when its heap is tight, native objects behind
   * small JavaScript ones do not count as such, and so even a Worker that does nothing grows for an hour. The inspector
   * has a command for it that workerd leaves unanswered and undone; but a snapshot of the heap collects first.
   *
   * @returns {Promise<Record<string, number>>} Bytes in use by isolate; a Worker's is named as the Worker.
   */
  async collect() {
    /** @type {Record<string, number>} */
    const used = {};
    for (const [name, socket] of this.#isolates) {
      await this.#send(socket, "HeapProfiler.enable");
      await this.#send(socket, "HeapProfiler.takeHeapSnapshot");
      const { usedSize } = await this.#send(socket, "Runtime.getHeapUsage");
      used[name] = /** @type {number} */ (usedSize);
    }
    return used;
  }

  /** @param {import("miniflare").WebSocket} socket @param {string} method @returns {Promise<Record<string, unknown>>} */
  #send(socket, method) {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => reject(new Error(`the inspector does not answer ${method}`)), PATIENCE_MS);
      /** @param {{ data: unknown }} event */
      const hear = ({ data }) => {
        // The snapshot itself comes as events, and goes unread.
        const answer = String(data);
        if (!answer.includes(`"id":${id}`) || answer.startsWith('{"method"')) return;
        clearTimeout(limit);
        socket.removeEventListener("message", hear);
        resolve(JSON.parse(answer).result);
      };
      socket.addEventListener("message", hear);
      socket.send(JSON.stringify({ id, method }));
    });
  }
}
