// Addresses to which no alert may be sent, at the deployable Worker in workerd: what leaves it is counted.
import { request } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Invariants } from "../support/invariants.mjs";
import { ALERTS, KEY, SECRETS, SLACK, startWorkerSite, TOKEN } from "./alert-sites.ts";
import { until } from "./rig.ts";

const LIST = { path: "/admin/api/alerts", headers: { authorization: `Bearer ${TOKEN}` } };
const OWN_HOST = "alerts.of-our-own.com";
const LOOP = `https://${OWN_HOST}/admin/api/alerts`;
const ORDERS = ["config", "flags", "kill", "phase"];

const H120 = [
  "https://0/",
  "https://0x0/",
  "https://0x7f000001/",
  "https://0177.0.0.1/",
  "https://127.0.1/",
  "https://127.0.0.1./",
  "https://１２７.0.0.1/",
  "https://127。0。0。1/",
  "https://[::]/",
  "https://[0:0:0:0:0:0:0:1]/",
  "https://[::ffff:7f00:1]/",
  "https://[64:ff9b:1::7f00:1]/",
  "https://[2002:7f00:1::]/",
  "https://[fd00:ec2::254]/latest/meta-data",
  "https://[fe80::1%25eth0]/",
  "https://LOCALHOST/",
  "https://a.localhost/",
  "https://localhost.localdomain/",
  "https://%6c%6f%63alhost/",
  "https://0xa9fea9fe/",
  "https://2852039166/",
  "https://169.254.43518/",
  "https://instance-data.ec2.internal/",
  "https://metadata/",
  "https://metadata.google.internal./",
  "https://kubernetes.default.svc/",
  "https://redis.default.svc.cluster.local/",
  "https://172.31.255.255/",
  "https://10.255.255.255/",
  "https://100.127.255.255/",
  "https://255.255.255.255/",
  "https://127.0.0.1.nip.io/",
  "https://app.localtest.me/",
  "https://1.0.0.127.in-addr.arpa/",
];
/** Only hooks.slack.com is allowed to these. */
const H122 = [
  "https://hooks.slack.com:443@evil.tld/",
  "https://@hooks.slack.com/",
  "https://hooks.slack.com.evil.tld/",
  "https://evil-hooks.slack.com/",
  "https://evil.tld\\.hooks.slack.com/",
  "https:\\\\hooks.slack.com/",
  "https:/hooks.slack.com/",
  "https:hooks.slack.com/",
  "https:///hooks.slack.com/",
  "https://evil.tld#@hooks.slack.com",
  "https://evil.tld?@hooks.slack.com",
  "https://evil.tld/hooks.slack.com",
  "https://hooks.slack.com#",
  "https://hooks.slack.com:25/",
  "https://hooks.slack.com:80/",
  "https://hooks.slack.com:0443/",
  "https://hooks.slack.com:443:443/",
  "https://hooks.slack.com./",
  "https://hooks..slack.com/",
  "https://HOOKS.slack.com/",
  "https://hooks.slack.com%2eevil.tld/",
  "https://hooks.slack.com%00.evil.tld/",
  "https://hooks.slack.com;evil.tld/",
  "https://hooks\t.slack.com/",
  "https://hooks.slack.com/\n",
  " https://hooks.slack.com/",
  "https://ho\u{ad}oks.slack.com/",
  "https://hooks.slack.com/\u{202e}",
  "HTTPS://hooks.slack.com/",
  "ftp://hooks.slack.com/",
  "file:///etc/passwd",
  "data:text/plain,hooks.slack.com",
  "//hooks.slack.com/",
  "https://",
];
/** Hosts of the service itself. */
const H124 = [`https://${OWN_HOST}/`, `https://${OWN_HOST}:443/`, `https://${OWN_HOST.toUpperCase()}/`];

const REFUSED = [
  ...H120.map((address) => ({ line: "H120", address, alerts: {} })),
  ...H122.map((address) => ({ line: "H122", address, alerts: { allowedHosts: ["hooks.slack.com"] } })),
  ...H124.map((address) => ({ line: "H124", address, alerts: { ownHosts: [OWN_HOST] } })),
];

let site: Awaited<ReturnType<typeof startWorkerSite>>;
let invariants: Invariants;

const message = (sink: string, id: string) => {
  const now = Date.now();
  const alert = {
    id: "0",
    rule: "circuitBreakerState",
    database: "primary",
    severity: "critical",
    message: "The circuit is OPEN.",
    value: 2,
    threshold: 0,
    stage: "firing",
    firedAtMs: now,
    isTold: true,
    toldAtMs: now,
  };
  return { id, sink, event: { kind: "firing", atMs: now, alert }, tries: 0, dueAtMs: 0 };
};

/** Leaves messages to all receivers of the Workers here, which are due. */
async function leave(...sinks: string[]): Promise<string> {
  const messages = sinks.map((sink) => message(sink, `msg_${sink}`));
  const text = JSON.stringify({ version: 1, book: {}, outbox: { messages, gone: [] } });
  await until("it is stored", async () => site.store.swap([{ key: KEY, expected: await site.store.read(KEY), text }]));
  return text;
}

/** The first Worker, whose receiver is a good one, sends what is due. */
async function leaves(): Promise<void> {
  const isSent = async () => {
    await site.ask(LIST);
    return site.outside.left.length > 0 && JSON.parse((await site.store.read(KEY)) ?? "").outbox.messages.length === 0;
  };
  await until("it left", isSent, 15_000);
}

async function state(): Promise<string> {
  const orders = ORDERS.map((name) => site.ask({ ...LIST, path: `/admin/api/orders/${name}` }));
  return (await Promise.all(orders)).map(({ body }) => body).join("\n");
}

beforeAll(async () => {
  // By turns as a setting among others, and as the variable.
  const workers = REFUSED.map(({ address, alerts }, number) => {
    const settings = { ...ALERTS, ...alerts, sinks: [], webhookUrl: number % 2 === 0 ? address : undefined };
    const variable = number % 2 === 0 ? {} : { DB_ALERT_WEBHOOK_URL: address };
    return [`refused${number}`, { SEAWALL_ALERTS: JSON.stringify(settings), ...variable }];
  });
  const sinks = [{ name: "loop", url: LOOP }];
  const loop = { SEAWALL_ALERTS: JSON.stringify({ ...ALERTS, webhookUrl: undefined, sinks }) };
  site = await startWorkerSite({ ...Object.fromEntries(workers), loop });
  for (const path of ["/api/health", "/admin/api/nothing"]) await site.ask({ ...LIST, path });
  await site.ask({ path: "/api/health/live", headers: { "seawall-alert": "1" } });
  for (const path of ["/admin/api/alerts/1/ack", "/api/health", "/api/webhooks"]) {
    await site.ask({ method: "POST", path, body: "{}" });
  }
  await leave("webhook");
  await leaves();
  const watch = { secrets: SECRETS, state, metrics: "/api/health/metrics?names=canonical" };
  invariants = await new Invariants(site.ask, watch).begin();
}, 120_000);

beforeEach(() => site.outside.reset());

afterAll(() => site?.stop());

describe("addresses that are refused", () => {
  test.each(REFUSED.map((refused, number) => ({ ...refused, number })))(
    "$line: nothing leaves for $address, whatever is due",
    async ({ address, number }) => {
      const worker = `refused${number}`;
      const before = await leave("webhook");
      const health = await site.at(worker, { path: "/api/health" });
      expect(health.status).toBe(503);
      expect(health.body).toContain("The address of the sink webhook");
      if (address.length > 9) expect(health.body).not.toContain(address.slice(8));
      for (const path of ["/admin/api/alerts", "/api/health/live", "/api/health/ready"]) {
        await site.at(worker, { ...LIST, path });
      }
      expect(await site.store.read(KEY)).toBe(before);
      expect(site.outside.left).toStrictEqual([]);
      expect(await invariants.broken({ path: "/api/health" }, health, { mayFail: true })).toStrictEqual([]);
    },
  );

  test("the same message leaves a Worker whose receiver is a good one", async () => {
    await leave("webhook");
    await leaves();
    expect(site.outside.left.map(({ url }) => url)).toStrictEqual([SLACK]);
    expect(site.log()).not.toContain("hidden-part");
  });
});

describe("a receiver that is the Worker itself", () => {
  test("H124: takes no alert, and makes none of it", async () => {
    const { host } = await site.url();
    let answer = "";
    site.outside.receiver = (response, { url, method, headers, body }) => {
      const onward = request(`http://${host}${new URL(url).pathname}`, { method, headers }, (found) => {
        found.setEncoding("utf8").on("data", (chunk) => {
          answer += chunk;
        });
        found.on("end", () => response.writeHead(found.statusCode ?? 502).end());
      });
      onward.on("error", () => response.destroy());
      onward.end(body);
    };
    await leave("loop");
    const asks = () => site.at("loop", LIST);
    const isTried = async () => {
      await asks();
      const { outbox } = JSON.parse((await site.store.read(KEY)) ?? "");
      const leftMs = outbox.messages[0]?.dueAtMs - Date.now();
      return outbox.messages[0]?.tries === 1 && leftMs < 20_000;
    };
    await until("it was sent and refused", isTried, 15_000);
    expect(JSON.parse(answer)).toMatchObject({ status: 508, code: "LOOP_DETECTED" });
    expect(site.outside.left.map(({ url }) => url)).toStrictEqual([LOOP]);
    const { outbox, book } = JSON.parse((await site.store.read(KEY)) ?? "");
    expect([outbox.messages.length, book.alerts]).toStrictEqual([1, []]);
  });

  test.each(["1", "0", "", "x".repeat(100)])("H124: the header %j ends a request at any path", async (value) => {
    for (const path of ["/api/health", "/api/health/live", "/admin/api/alerts", "/api/health/metrics"]) {
      const asked = { ...LIST, path, headers: { ...LIST.headers, "seawall-alert": value } };
      const answer = await site.ask(asked);
      expect(answer.status).toBe(508);
      expect(await invariants.broken(asked, answer, { mayFail: true })).toStrictEqual([]);
    }
  });
});

describe("what comes in as if it were a webhook", () => {
  const signed = {
    "webhook-id": "msg_1",
    "webhook-timestamp": "1",
    "webhook-signature": "v1,AAAA",
    "content-type": "application/json",
  };

  test.each([
    { title: "with a signature and no token", headers: signed, status: 401 },
    { title: "with an empty signature", headers: { ...signed, "webhook-signature": "v1," }, status: 401 },
    { title: "at a route that is there, with another method", headers: signed, path: "/api/health", status: 405 },
    { title: "at no route", headers: signed, path: "/api/webhooks", status: 404 },
  ])("H130: $title gets nowhere: $status", async ({ headers, path = "/admin/api/alerts/1/ack", status }) => {
    const asked = { method: "POST", path, headers, body: '{"by":"a receiver"}' };
    const answer = await site.ask(asked);
    expect(answer.status).toBe(status);
    expect(await invariants.broken(asked, answer)).toStrictEqual([]);
  });
});
