// Alerts as they leave: out of workerd and out of Node, to receivers that are there, hostile, broken or not there at all.
import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { Webhook } from "standardwebhooks";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Invariants } from "../support/invariants.mjs";
import type { Left } from "../support/outside.mjs";
import {
  DISCORD,
  KEY,
  OWN,
  SECRETS,
  SIGNING,
  type Site,
  SLACK,
  startNodeSite,
  startWorkerSite,
  TOKEN,
} from "./alert-sites.ts";
import { until } from "./rig.ts";

const LIMIT_MS = 15_000;
const HOUR_MS = 3_600_000;
const LIVE = { path: "/api/health/live" };
const LIST = { path: "/admin/api/alerts", headers: { authorization: `Bearer ${TOKEN}` } };
const METRICS = "/api/health/metrics?names=canonical";
const ORDERS = ["config", "flags", "kill", "phase"];

/** A message as the strong store has it. */
interface Message {
  id: string;
  sink: string;
  tries: number;
  dueAtMs: number;
  event: unknown;
}

interface Document {
  version: number;
  book: object;
  outbox: { messages: Message[]; gone: { sink: string }[] };
}

/** Texts of somebody else: of another isolate, which calls its databases whatever it likes. */
interface Texts {
  database?: string;
  message?: string;
}

function message(sink: string, { database = "primary", message = "The circuit is OPEN." }: Texts = {}): Message {
  const now = Date.now();
  const alert = {
    id: randomBytes(8).toString("hex"),
    rule: "circuitBreakerState",
    database,
    severity: "critical",
    message,
    value: 2,
    threshold: 0,
    state: "OPEN",
    stage: "firing",
    firedAtMs: now,
    isTold: true,
    toldAtMs: now,
  };
  const id = `msg_${randomBytes(16).toString("hex")}`;
  return { id, sink, event: { kind: "firing", atMs: now, alert }, tries: 0, dueAtMs: 0 };
}

async function stored(site: Site): Promise<Document> {
  return JSON.parse((await site.store.read(KEY)) ?? '{"outbox":{"messages":[],"gone":[]}}');
}

/** Changes what is stored as a whole, whoever else writes. */
async function store(site: Site, change: (before: Document) => Document): Promise<void> {
  await until("it is stored", async () => {
    const text = await site.store.read(KEY);
    const before = text === null ? { version: 1, book: {}, outbox: { messages: [], gone: [] } } : JSON.parse(text);
    return site.store.swap([{ key: KEY, expected: text, text: JSON.stringify(change(before)) }]);
  });
}

/** Leaves these messages, which are due, and nothing else. */
const leave = (site: Site, ...messages: Message[]) =>
  store(site, () => ({ version: 1, book: {}, outbox: { messages, gone: [] } }));

/** As if so much time had passed that all messages are due. */
const letTimePass = (site: Site) =>
  store(site, (before) => {
    const messages = before.outbox.messages.map((message) => ({ ...message, dueAtMs: 0 }));
    return { ...before, outbox: { ...before.outbox, messages } };
  });

/** An isolate looks, first at what is stored: whoever asks for the list has it read. */
async function look(site: Site, what: string, isTrue: () => boolean | Promise<boolean>, ask = site.ask): Promise<void> {
  expect((await ask(LIST)).status).toBe(200);
  await until(what, async () => (await isTrue()) || ((await ask(LIVE)).status === 200 && (await isTrue())), LIMIT_MS);
}

/** A message that is being sent is put off for a minute; when that has ended, it is gone or due at another time. */
async function settled(site: Site, id: string, tries = 1): Promise<Message | undefined> {
  let found: Message | undefined;
  await until(
    "how it ended is stored",
    async () => {
      const { messages } = (await stored(site)).outbox;
      found = messages.find((message) => message.id === id);
      const leftMs = (found?.dueAtMs ?? 0) - Date.now();
      return found === undefined || (found.tries === tries && (leftMs < 20_000 || leftMs > 70_000));
    },
    LIMIT_MS,
  );
  return found;
}

async function outcomes(site: Site, sink: string): Promise<Record<string, number>> {
  const { body } = await site.ask({ path: METRICS });
  const pattern = new RegExp(`^seawall_webhook_deliveries_total\\{([^}]*sink="${sink}"[^}]*)\\} (\\d+)`, "gm");
  const found = [...body.matchAll(pattern)].map(([, labels, count]) => {
    return [/outcome="(\w+)"/.exec(labels ?? "")?.[1] ?? "", Number(count)] as const;
  });
  return Object.fromEntries(found);
}

/** What an isolate counted since `before`, without what it did not. */
async function counted(site: Site, sink: string, before: Record<string, number>): Promise<Record<string, number>> {
  const now = Object.entries(await outcomes(site, sink));
  return Object.fromEntries(now.map(([name, count]) => [name, count - (before[name] ?? 0)]).filter(([, news]) => news));
}

/** What a line for Slack says. */
const unescaped = (text: string) => text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
const verified = ({ body, headers }: Left, secret = SIGNING[0] ?? "") => new Webhook(secret).verify(body, headers);

/** Writes `chunk` again and again, as fast as it is taken, `times` in all; ends when it is closed. */
function pour(response: ServerResponse, chunk: string, times: number): void {
  let left = times;
  const more = () => {
    while (left > 0 && !response.destroyed) {
      left -= 1;
      if (!response.write(chunk)) return void response.once("drain", more);
    }
  };
  more();
}

/** Writes bytes past the end of HTTP, one each `pauseMs`. */
function drip(response: ServerResponse, text: string, pauseMs: number): void {
  const bytes = [...text];
  const timer = setInterval(() => {
    const byte = bytes.shift();
    if (byte === undefined) clearInterval(timer);
    else response.socket?.write(byte);
  }, pauseMs);
  response.once("close", () => clearInterval(timer));
}

const raw = (response: ServerResponse, text: string) => response.socket?.end(text);

interface Answering {
  title: string;
  answers: (response: ServerResponse) => void;
  outcome: "delivered" | "failed" | "gone";
  /** How far off the next try is, at least and at most; 5 s and a fifth of it more if nothing is said. */
  pauseMs?: [number, number];
  /** Whether the receiver is not listened to any more, though it goes on. */
  isLeft?: boolean;
}

const PAUSE_MS: [number, number] = [5_000, 6_000];
const asks =
  (status: number, ...pauses: string[]) =>
  (response: ServerResponse) =>
    void response
      .writeHead(
        status,
        pauses.flatMap((pause) => ["retry-after", pause]),
      )
      .end("later");
const says = (status: number, body?: string) => (response: ServerResponse) => void response.writeHead(status).end(body);

const ANSWERING: Answering[] = [
  { title: "200", answers: says(200, "ok"), outcome: "delivered" },
  { title: "200 with HTML", answers: says(200, "<html><script>alert(1)</script>"), outcome: "delivered" },
  { title: "201 and nothing else", answers: says(201), outcome: "delivered" },
  { title: "204", answers: says(204), outcome: "delivered" },
  {
    title: "200 and a body that is no gzip, though it says so",
    answers: (response) => void response.writeHead(200, { "content-encoding": "gzip" }).end("no gzip at all"),
    outcome: "delivered",
  },
  {
    title: "200 and one byte a second, without an end",
    answers(response) {
      response.writeHead(200);
      response.write("x");
      const timer = setInterval(() => response.write("x"), 1_000);
      response.once("close", () => clearInterval(timer));
    },
    outcome: "delivered",
    isLeft: true,
  },
  {
    title: "200 and the first four of 10 GB",
    answers(response) {
      response.writeHead(200, { "content-length": 10_000_000_000 });
      pour(response, "x".repeat(65_536), 64);
    },
    outcome: "delivered",
    isLeft: true,
  },
  { title: "never", answers: () => {}, outcome: "failed", isLeft: true },
  {
    title: "one byte of its head at a time",
    answers: (response) => drip(response, `HTTP/1.1 200 OK\r\nx: ${"x".repeat(2_000)}`, 100),
    outcome: "failed",
    isLeft: true,
  },
  {
    title: "100,000 headers",
    answers: (response) => raw(response, `HTTP/1.1 200 OK\r\n${"a: b\r\n".repeat(100_000)}content-length: 0\r\n\r\n`),
    outcome: "failed",
  },
  {
    title: "one header of a megabyte",
    answers: (response) => raw(response, `HTTP/1.1 200 OK\r\na: ${"b".repeat(1_000_000)}\r\ncontent-length: 0\r\n\r\n`),
    outcome: "failed",
  },
  {
    title: "what is not HTTP",
    answers: (response) => raw(response, "220 mail.example.com ESMTP\r\n"),
    outcome: "failed",
  },
  { title: "half a status line", answers: (response) => raw(response, "HTTP/1.1 20"), outcome: "failed" },
  { title: "with a closed connection", answers: (response) => void response.destroy(), outcome: "failed" },
  {
    title: "302 to where no alert may go",
    answers: (response) => void response.writeHead(302, { location: "https://169.254.169.254/latest/meta-data" }).end(),
    outcome: "failed",
  },
  {
    title: "307 to another receiver",
    answers: (response) => void response.writeHead(307, { location: DISCORD }).end(),
    outcome: "failed",
  },
  {
    title: "308 to itself",
    answers: (response) => void response.writeHead(308, { location: OWN }).end(),
    outcome: "failed",
  },
  { title: "304", answers: says(304), outcome: "failed" },
  { title: "400", answers: says(400, "no"), outcome: "failed" },
  { title: "404", answers: says(404, "no"), outcome: "failed" },
  { title: "500 and a page of errors", answers: says(500, `panicked at ${"x".repeat(100_000)}`), outcome: "failed" },
  { title: "503 and a pause of 30 s", answers: asks(503, "30"), outcome: "failed", pauseMs: [30_000, 30_000] },
  {
    title: "429 and a pause of 1,000,000,000 s",
    answers: asks(429, "1000000000"),
    outcome: "failed",
    pauseMs: [HOUR_MS, HOUR_MS],
  },
  { title: "429 and a pause of 1e9", answers: asks(429, "1e9"), outcome: "failed" },
  {
    title: "429 and a pause of a thousand digits",
    answers: asks(429, "9".repeat(1_000)),
    outcome: "failed",
    pauseMs: [HOUR_MS, HOUR_MS],
  },
  { title: "429 and a pause that is over", answers: asks(429, "-1"), outcome: "failed" },
  { title: "429 and a date", answers: asks(429, "Fri, 31 Dec 9999 23:59:59 GMT"), outcome: "failed" },
  { title: "429 and two pauses", answers: asks(429, "10", "1000000000"), outcome: "failed" },
  { title: "410", answers: says(410, "gone"), outcome: "gone" },
  { title: "410 and a pause", answers: asks(410, "5"), outcome: "gone" },
];

/** Texts that chats would carry out, or that are too long. */
const HOSTILE_TEXTS: (Required<Texts> & { title: string })[] = [
  {
    title: "mentions in Slack",
    database: "<!channel>",
    message: "<!here|look> <!everyone> <@U123> <!subteam^S1|team>",
  },
  { title: "entities", database: "a&b", message: "&lt;!channel&gt; &amp;lt; &#60;!channel&#62;" },
  {
    title: "links of Slack",
    database: "<https://evil.example.org|https://bank.example.com>",
    message: "https://evil.example.org *bold* _it_ ~no~",
  },
  {
    title: "mentions and markup of Discord",
    database: "@everyone",
    message: "@here <@&1> <@1> <#1> [a](https://evil.example.org) ||b|| `c` # d > e \\* f",
  },
  { title: "control characters", database: "\u202ekcalb\u0000\n\r\t", message: "```\nblock\n``` \u200b\ufeff\u2028" },
  { title: "2,001 characters", database: "long", message: `*${"x".repeat(2_001)}` },
  { title: "2,001 marks", database: "markup to the limit", message: "*".repeat(2_001) },
  { title: "5,000 crabs", database: "\u{1f980}".repeat(100), message: "\u{1f980}".repeat(5_000) },
  {
    title: "JSON within JSON",
    database: '"},"text":"',
    message: '\\","allowed_mentions":{"parse":["everyone"]},"x":"',
  },
];

interface Tampered {
  title: string;
  change: (left: Left) => Left;
  passes?: boolean;
}

const withHeaders = (left: Left, headers: Record<string, string>): Left => ({
  ...left,
  headers: { ...left.headers, ...headers },
});
const at = (left: Left, offsetS: number) =>
  withHeaders(left, { "webhook-timestamp": String(Number(left.headers["webhook-timestamp"]) + offsetS) });
const signatures = ({ headers }: Left) => (headers["webhook-signature"] ?? "").split(" ");

const TAMPERED: Tampered[] = [
  { title: "as it left", change: (left) => left, passes: true },
  { title: "another id", change: (left) => withHeaders(left, { "webhook-id": `${left.headers["webhook-id"]}0` }) },
  {
    title: "an id with a dot, and a timestamp without what it took",
    change(left) {
      const { "webhook-id": id = "", "webhook-timestamp": time = "" } = left.headers;
      return withHeaders(left, { "webhook-id": `${id}.${time.slice(0, 3)}`, "webhook-timestamp": time.slice(3) });
    },
  },
  { title: "six minutes ago", change: (left) => at(left, -360) },
  { title: "six minutes ahead", change: (left) => at(left, 360) },
  { title: "a second later", change: (left) => at(left, 1) },
  {
    title: "JSON written again",
    change: (left) => ({ ...left, body: JSON.stringify(JSON.parse(left.body), null, 1) }),
  },
  { title: "another body", change: (left) => ({ ...left, body: left.body.replace("firing", "resolved") }) },
  { title: "a blank behind it", change: (left) => ({ ...left, body: `${left.body} ` }) },
  { title: "`v1,` and nothing", change: (left) => withHeaders(left, { "webhook-signature": "v1," }) },
  {
    title: "another version of signatures",
    change: (left) => withHeaders(left, { "webhook-signature": signatures(left).join(" ").replaceAll("v1,", "v2,") }),
  },
  {
    title: "blanks within Base64",
    change: (left) => withHeaders(left, { "webhook-signature": (signatures(left)[0] ?? "").replace(",", ", ") }),
  },
  {
    title: "only the signature of the other secret",
    change: (left) => withHeaders(left, { "webhook-signature": signatures(left)[1] ?? "" }),
  },
  {
    title: "only the signature of this secret",
    change: (left) => withHeaders(left, { "webhook-signature": signatures(left)[0] ?? "" }),
    passes: true,
  },
  {
    title: "two, of which this secret's is the second",
    change: (left) => withHeaders(left, { "webhook-signature": signatures(left).reverse().join(" ") }),
    passes: true,
  },
];

describe.each([
  { name: "Worker", start: startWorkerSite },
  { name: "Node", start: startNodeSite },
])("out of the $name", ({ start }) => {
  let site: Site;
  let invariants: Invariants;
  /** What left while the circuit opened and closed. */
  let told: Left[];

  const state = async () => {
    const headers = LIST.headers;
    const all = await Promise.all(ORDERS.map((name) => site.ask({ path: `/admin/api/orders/${name}`, headers })));
    return all.map(({ body }) => body).join("\n");
  };

  beforeAll(async () => {
    site = await start();
    const { outside, proxy } = site;
    const look = async () => (await site.ask({ path: "/api/health" })) && (await site.ask(LIVE));
    const toldOwn = () => outside.left.filter(({ url }) => url === OWN).map((left) => JSON.parse(left.body).type);
    await look();
    await proxy.set({ kind: "status", status: 503 });
    await until("it is told that the circuit is open", async () => (await look()) && toldOwn().length > 0, LIMIT_MS);
    await proxy.set({ kind: "pass" });
    const isOver = async () => (await look()) && toldOwn().at(-1) === "alert.resolved";
    await until("it is told that the circuit is closed", isOver, LIMIT_MS);
    const isSent = async () => (await look()) && (await stored(site)).outbox.messages.length === 0;
    await until("all of it was sent", isSent, LIMIT_MS);
    told = [...outside.left];
    for (const sink of ["webhook", "own", "discord"]) {
      const { id } = await leaves(sink);
      await settled(site, id);
    }
    const watch = { secrets: SECRETS, state, metrics: METRICS };
    invariants = await new Invariants(site.ask, watch).begin();
  }, 120_000);

  beforeEach(() => site.outside.reset());

  afterEach(async () => {
    expect(await invariants.broken(LIST, await site.ask(LIST))).toStrictEqual([]);
    for (const secret of SECRETS) expect(site.log()).not.toContain(secret);
  });

  afterAll(() => site?.stop());

  /** Leaves a message to `sink` and looks until it has left. */
  async function leaves(sink: string, texts?: Texts): Promise<{ id: string; left: Left }> {
    const left = message(sink, texts);
    await leave(site, left);
    const sent = () => site.outside.left.find(({ headers }) => headers["webhook-id"] === left.id);
    await look(site, "it left", () => sent() !== undefined);
    return { id: left.id, left: sent() as Left };
  }

  test("ALR-01 and ALR-02: of a circuit that opens and closes every receiver is told, in its own form", () => {
    const to = (address: string) => told.filter(({ url }) => url === address);
    const own = to(OWN);
    expect(own.map((left) => (verified(left) as { type: string }).type).at(0)).toBe("alert.firing");
    expect(own.map((left) => (verified(left, SIGNING[1]) as { type: string }).type).at(-1)).toBe("alert.resolved");
    expect(own[0]).toMatchObject({
      method: "POST",
      headers: {
        "content-type": "application/json",
        "seawall-alert": "1",
        authorization: "Bearer hidden-authorization",
      },
    });
    expect(JSON.parse(own[0]?.body ?? "")).toMatchObject({ data: { rule: "circuitBreakerState", state: "OPEN" } });
    for (const [address, field] of [
      [SLACK, "text"],
      [DISCORD, "content"],
    ] as const) {
      const lines = to(address).map(({ body }) => JSON.parse(body)[field].replaceAll("\\", ""));
      expect(lines.at(0)).toMatch(
        /^\[FIRING\] critical circuitBreakerState \(\w+\): The circuit is OPEN after \d+ failures/,
      );
      expect(lines.at(-1)).toMatch(/^\[RESOLVED\] /);
      for (const { headers } of to(address)) expect(headers).not.toHaveProperty("authorization");
    }
    const ids = told.map(({ headers }) => headers["webhook-id"]);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(told.map(({ url }) => url))).toStrictEqual(new Set([SLACK, DISCORD, OWN]));
  });

  test.each(ANSWERING)("H126: a receiver that answers $title: it is $outcome", async (answering) => {
    const { answers, outcome, pauseMs = PAUSE_MS, isLeft = false } = answering;
    site.outside.receiver = (response) => answers(response);
    const beganMs = Date.now();
    const { id, left } = await leaves("own");
    const after = await settled(site, id);
    const { gone } = (await stored(site)).outbox;
    expect(gone.map(({ sink }) => sink)).toStrictEqual(outcome === "gone" ? ["own"] : []);
    if (outcome === "failed") {
      expect(after).toMatchObject({ id, tries: 1 });
      const dueAtMs = after?.dueAtMs ?? 0;
      expect(dueAtMs - beganMs).toBeGreaterThanOrEqual(pauseMs[0]);
      expect(dueAtMs - Date.now()).toBeLessThanOrEqual(pauseMs[1]);
    } else {
      expect(after).toBeUndefined();
    }
    if (isLeft) await until("nobody listens any more", () => left.isClosed);
    // Nobody else was asked, and the receiver once.
    expect(site.outside.left.map(({ url }) => url)).toStrictEqual([OWN]);
  });

  test.each(["the same isolate", "another isolate", "isolates that were started anew"])(
    "H126: after 500 %s sends the same message once more, from what is stored, and 204 ends it",
    async (who) => {
      site.outside.receiver = says(500);
      const { id, left: first } = await leaves("own");
      await settled(site, id);
      site.outside.receiver = says(204);
      await letTimePass(site);
      if (who.endsWith("anew")) {
        await site.restart();
      }
      const ask = who.startsWith("another") ? site.other : site.ask;
      await look(site, "it left again", () => site.outside.left.length === 2, ask);
      expect(await settled(site, id)).toBeUndefined();
      const [, again] = site.outside.left;
      expect(again?.headers["webhook-id"]).toBe(id);
      expect(again?.body).toBe(first.body);
      expect(verified(again as Left)).toStrictEqual(verified(first));
      expect(site.outside.left).toHaveLength(2);
      if (who.endsWith("anew")) {
        // Their counts begin anew as well, so each receiver is counted once.
        for (const sink of ["webhook", "own", "discord"]) await settled(site, (await leaves(sink)).id);
      }
    },
  );

  test("H126: of ten answers of 500 the receiver gets to give seven", async () => {
    const before = await outcomes(site, "own");
    site.outside.receiver = says(500);
    const { id } = await leaves("own");
    for (let tries = 1; tries < 7; tries += 1) {
      expect((await settled(site, id, tries))?.tries).toBe(tries);
      await letTimePass(site);
      await look(site, `try ${tries + 1}`, () => site.outside.left.length === tries + 1);
    }
    await until("it is given up", async () => (await stored(site)).outbox.messages.length === 0, LIMIT_MS);
    for (let round = 0; round < 3; round += 1) await site.ask(LIST);
    expect(site.outside.left.map(({ headers }) => headers["webhook-id"])).toStrictEqual(Array(7).fill(id));
    // Metrics are made anew only now and then.
    let news: Record<string, number> = {};
    const isCounted = async () => {
      news = await counted(site, "own", before);
      return (news.given_up ?? 0) > 0;
    };
    await until("it is counted", isCounted, 2 * LIMIT_MS);
    expect(news.given_up).toBe(1);
    expect(news.failed).toBeGreaterThanOrEqual(6);
  });

  test("H126: a receiver that is gone is not sent to again, the others are, and its address is not shown", async () => {
    site.outside.receiver = (response, { url }) => says(url === OWN ? 410 : 204)(response);
    await settled(site, (await leaves("own")).id);
    const listed = JSON.parse((await site.ask(LIST)).body);
    const isGone = (name: string) => listed.sinks.find((sink: { name: string }) => sink.name === name).isGone;
    expect([isGone("own"), isGone("webhook"), isGone("discord")]).toStrictEqual([true, false, false]);
    site.outside.left = [];
    await site.proxy.set({ kind: "status", status: 503 });
    const look = async () => (await site.ask({ path: "/api/health" })) && (await site.ask(LIVE));
    const urls = () => new Set(site.outside.left.map(({ url }) => url));
    await until("the others are told", async () => (await look()) && urls().size === 2, LIMIT_MS);
    await site.proxy.set({ kind: "pass" });
    const idle = async () => (await look()) && !(await site.store.read(KEY))?.includes('"stage":"firing"');
    await until("it is over", idle, LIMIT_MS);
    const isSent = async () => (await look()) && (await stored(site)).outbox.messages.length === 0;
    await until("all was sent", isSent, LIMIT_MS);
    expect(urls()).toStrictEqual(new Set([SLACK, DISCORD]));
  });

  test.each(HOSTILE_TEXTS)("H128: in Slack and in Discord $title are text", async (texts) => {
    const { left: slack } = await leaves("webhook", texts);
    const { text, ...options } = JSON.parse(slack.body);
    expect(options).toStrictEqual({ mrkdwn: false, link_names: false, unfurl_links: false, unfurl_media: false });
    expect(text).not.toMatch(/[<>]|&(?!(?:amp|lt|gt);)/);
    const line = `[FIRING] critical circuitBreakerState (${texts.database}): ${texts.message}`;
    expect(line.startsWith(unescaped(text))).toBe(true);
    expect(unescaped(text).length).toBeGreaterThan(Math.min(line.length, 1_000) - 1);
    const { left: discord } = await leaves("discord", texts);
    const { content, ...rest } = JSON.parse(discord.body);
    expect(rest).toStrictEqual({ allowed_mentions: { parse: [] } });
    expect(content.length).toBeLessThanOrEqual(2_000);
    expect(content.replaceAll(/\\[\s\S]/g, "")).not.toMatch(/[*_~`|<>#[\]()\\-]/);
    expect(line.startsWith(content.replaceAll(/\\([\s\S])/g, "$1"))).toBe(true);
    expect([slack.url, discord.url]).toStrictEqual([SLACK, DISCORD]);
  });

  test("H130: what left passes only as it left", async () => {
    const { left } = await leaves("own");
    for (const { title, change, passes = false } of TAMPERED) {
      const verify = () => verified(change(left));
      if (passes) expect(verify(), title).toMatchObject({ type: "alert.firing" });
      else expect(verify, title).toThrow();
    }
    for (const other of ["whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB", "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"]) {
      expect(() => verified(left, other)).toThrow();
    }
  });

  test("H126: two hundred messages that nobody takes keep no new one from being told", async () => {
    const waiting = Array.from({ length: 199 }, () => ({
      ...message("discord", { message: "\u{1f980}".repeat(300) }),
      dueAtMs: Date.now() + HOUR_MS,
    }));
    const urgent = message("own");
    await leave(site, ...waiting, urgent);
    await look(site, "it left", () => site.outside.left.length === 1);
    expect(await settled(site, urgent.id)).toBeUndefined();
    expect(site.outside.left.map(({ headers }) => headers["webhook-id"])).toStrictEqual([urgent.id]);
    await leave(site);
  });

  test("H132: of addresses the list shows scheme and host, with and without an alert", async () => {
    await leaves("own");
    const { sinks } = JSON.parse((await site.ask(LIST)).body);
    expect(sinks.map(({ url }: { url: string }) => url)).toStrictEqual([
      "https://hooks.slack.com",
      "https://alerts.example.com",
      "https://discord.com",
    ]);
  });
});
