// A client at the edge of something, in Node and in workerd, before a real server: an abort in the moment of a grant, a herd
// at a circuit that is about to probe, and a COMMIT whose answer never comes. What arrives is counted at the server.
import { createServer, request, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createClient, type SeawallClient } from "../../js/src/client.ts";
import { bundleWorker } from "../support/workerd.mjs";
import { type Rig, startRig, until } from "./rig.ts";
import { answerOf, type Ended } from "./workers/edges.ts";

const ONE_LEASE = { connectionPool: { maxConnections: 1, acquireTimeout: 5_000 } };
const CALLS = 3;
const PROBING = {
  connectionPool: { maxConnections: 100 },
  circuitBreaker: { failureThreshold: 1, recoveryTimeout: 200, halfOpenMaxCalls: CALLS, successThreshold: CALLS },
  retry: { attempts: 1 },
};
/** As many attempts as one can ask for: none of them may be made of a COMMIT. */
const EAGER = { retry: { attempts: 5, initialDelay: 10 }, circuitBreaker: { enabled: false } };

let rig: Rig;
let between: Between;

/** Passes requests on to the real server, and keeps to itself what that answers to a COMMIT. */
class Between {
  /** Requests that held a COMMIT. */
  commits = 0;
  /** After how many bytes the answer to a COMMIT ends; undefined for the whole of it. */
  cutAfter: number | undefined;
  target = "";
  readonly #server: Server;

  constructor() {
    this.#server = createServer((asked, answer) => {
      const chunks: Buffer[] = [];
      asked.on("data", (chunk: Buffer) => chunks.push(chunk));
      asked.on("end", () => {
        const body = Buffer.concat(chunks);
        const isCommit = body.includes('"COMMIT"');
        if (isCommit) this.commits += 1;
        const { method, url, headers } = asked;
        const { host } = new URL(this.target);
        const passed = request(`${this.target}${url}`, { method, headers: { ...headers, host } }, (got) => {
          const told: Buffer[] = [];
          got.on("data", (chunk: Buffer) => told.push(chunk));
          got.on("end", () => {
            const text = Buffer.concat(told);
            const status = got.statusCode ?? 500;
            if (!isCommit || this.cutAfter === undefined) return void answer.writeHead(status, got.headers).end(text);
            // The server has committed by now. Nobody hears of it.
            if (this.cutAfter === 0) return void asked.socket.destroy();
            answer.writeHead(status, { "content-type": "application/json", "content-length": text.length });
            answer.write(text.subarray(0, this.cutAfter), () => asked.socket.destroy());
          });
        });
        passed.end(body);
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

type Kind = "one" | "probing" | "eager";
const hosts: { name: string; ask(kind: Kind, path: string): Promise<unknown> }[] = [];
const own: SeawallClient[] = [];

beforeAll(async () => {
  between = new Between();
  const committing = await between.listen();
  const worker = join(import.meta.dirname, "workers/edges-worker.ts");
  const modules = await bundleWorker(worker, { alias: { "client-under-test": "seawall" } });
  let clients: Record<Kind, SeawallClient> | undefined;
  rig = await startRig((url) => {
    const open = (address: string, seawall: object) => {
      own.push(createClient({ url: address, seawall }));
      return own.at(-1) as SeawallClient;
    };
    clients = { one: open(url, ONE_LEASE), probing: open(url, PROBING), eager: open(committing, EAGER) };
    const workerOf = (address: string, seawall: object) => ({
      modules,
      bindings: { DATABASE_URL: address, OPTIONS: { seawall } },
    });
    return {
      one: workerOf(url, ONE_LEASE),
      probing: workerOf(url, PROBING),
      eager: workerOf(committing, EAGER),
    };
  });
  between.target = rig.sqld.url;
  const direct = createClient({ url: rig.sqld.url });
  await direct.execute("CREATE TABLE writes (id TEXT)");
  direct.close();
  hosts.push(
    {
      name: "Node",
      ask: async (kind, path) => answerOf((clients as NonNullable<typeof clients>)[kind], new URL(path, "http://x")),
    },
    { name: "workerd", ask: async (kind, path) => (await rig.ask(kind, path)).json() },
  );
});

beforeEach(async () => {
  between.commits = 0;
  between.cutAfter = undefined;
  await rig.proxy.set({ kind: "pass" });
});

afterAll(async () => {
  for (const db of own) db.close();
  await rig?.stop();
  await between?.close();
});

describe.each(["Node", "workerd"])("in %s", (name) => {
  const ask = (kind: Kind, path: string) => hosts.find((host) => host.name === name)?.ask(kind, path);
  const breakerOf = async () => ((await ask("probing", "/")) as ReturnType<SeawallClient["seawall"]["status"]>).breaker;

  test("H114: a caller that leaves as it gets its lease gives it back, whichever was first", async () => {
    const turns = 40;
    const { ended, ...left } = (await ask("one", `/abort?n=${turns}`)) as Ended;
    expect(left).toEqual({ borrowed: 0, leaked: 0, pending: 0, running: 0 });
    // All that held it were answered, and each that waited was answered or left.
    expect(Object.keys(ended).every((code) => code === "ok" || code === "ABORTED")).toBe(true);
    expect((ended.ok ?? 0) + (ended.ABORTED ?? 0)).toBe(2 * turns);
    expect(ended.ABORTED, "some left before they were answered").toBeGreaterThan(0);
    // The one lease is there for the next.
    expect(await ask("one", "/herd?n=3")).toMatchObject({ ended: { ok: 3 }, borrowed: 0, leaked: 0 });
  });

  test("H118: of 10,000 callers at the end of an outage no more ask the server than may probe", async () => {
    expect(await ask("probing", "/herd?n=1")).toMatchObject({ ended: { ok: 1 } });
    await rig.proxy.set({ kind: "status", status: 503 });
    await ask("probing", "/herd?n=1");
    const { state, retryAtMs = 0 } = await breakerOf();
    expect(state).toBe("OPEN");
    // The server takes its time, so that no probe is answered before all have asked.
    await rig.proxy.set({ kind: "slow", ms: 2_000 });
    await until("a probe is due", () => Date.now() > retryAtMs + 50);
    const before = rig.proxy.requests;
    const { ended, ...left } = (await ask("probing", "/herd?n=10000")) as Ended;
    const arrived = rig.proxy.requests - before;
    expect(arrived).toBeGreaterThan(0);
    expect(arrived).toBeLessThanOrEqual(CALLS);
    expect(ended).toEqual({ ok: arrived, CIRCUIT_OPEN: 10_000 - arrived });
    expect(left).toEqual({ borrowed: 0, leaked: 0, pending: 0, running: 0 });
  }, 60_000);

  test.each([0, 20])(
    "H152: a COMMIT whose answer ends after %i bytes is of unknown outcome, and is sent once",
    async (bytes) => {
      between.cutAfter = bytes;
      const id = `${name}-${bytes}`;
      expect(await ask("eager", `/commit?id=${id}`)).toEqual({ code: "OUTCOME_UNKNOWN", outcome: "unknown" });
      expect(between.commits).toBe(1);
      // It was done, and once: whoever had sent it again would have done it twice.
      const direct = createClient({ url: rig.sqld.url });
      const { rows } = await direct.execute({ sql: "SELECT count(*) AS n FROM writes WHERE id = ?", args: [id] });
      direct.close();
      expect(rows[0]?.n).toBe(1);
      between.cutAfter = undefined;
      expect(await ask("eager", `/commit?id=${id}-again`)).toEqual({});
      expect(await ask("eager", "/")).toMatchObject({ pool: { borrowed: 0, leaked: 0 } });
    },
  );
});
