// Operators who give orders at once until what they give them to is killed, and what must be there afterwards: a write that
// was answered is done, one whose answer got lost is done or not, each with all that belongs to it, and one that is repeated
// is done once.
import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { expect } from "vitest";

export interface Asked {
  method: string;
  path: string;
  headers: Record<string, string>;
  body?: string;
}

export interface Answered {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** Where operators ask. */
export interface Place {
  /** Asks as that operator does. Rejects when the answer gets lost. */
  ask(operator: number, asked: Asked): Promise<Answered>;
  /** A text of the strong store itself. */
  read(key: string): Promise<string | null>;
  /** Ends what serves these operators, at once and whatever it does. Others may be ended with it. */
  kill(operators: readonly number[]): Promise<void>;
  /** Ends the rest. */
  stop(): Promise<void>;
}

/** What came of some rounds. */
export interface Tally {
  rounds: number;
  /** Writes that were answered. */
  answered: number;
  /** Those of which the answer got lost, and what was found of them. */
  lost: number;
  done: number;
  undone: number;
}

/** Lets all be killed in the middle of writes, round after round, and looks after each. */
export interface KillOptions {
  /** Begins anew, with what is stored. */
  start(): Promise<Place>;
  token: string;
  rounds: number;
  random: () => number;
}

const OPERATORS = [0, 1] as const;
/** Killed after so many answers of a round, and a part of the time that an answer takes. */
const ANSWERS_MAX = 12;
/** More rounds than wanted, until an answer was lost of a write that was done, and of one that was not. */
const MORE_ROUNDS = 4;
const DAY_MS = 86_400_000;

/** What an order was, as records have it. */
type Recorded = { version: number; value: unknown } | null;

interface AuditRecord {
  seq: number;
  actor: string;
  target: string;
  reason: string;
  before: unknown;
  after: unknown;
}

interface Write {
  asked: Asked;
  reason: string;
  /** Whether it is refused when another comes first. */
  isWhole: boolean;
  /** Whether it made this of that. */
  isMadeOf: (after: Json, before: Json) => boolean;
  answer: Answered | "lost" | undefined;
}

// biome-ignore lint/suspicious/noExplicitAny: documents of all kinds
type Json = any;

/** What operators did, and what of it is there. */
class Ledger {
  readonly #token: string;
  readonly #random: () => number;
  readonly writes: Write[] = [];
  readonly records: AuditRecord[] = [];
  /** What the records say of each order. */
  readonly #orders = new Map<string, Recorded>();
  /** Tokens that may still be ended. */
  readonly #tokens: string[] = [];

  constructor(token: string, random: () => number) {
    this.#token = token;
    this.#random = random;
  }

  asked(method: string, path: string, body?: object, headers: Record<string, string> = {}): Asked {
    const authorized = { authorization: `Bearer ${this.#token}`, "content-type": "application/json", ...headers };
    return {
      method,
      path: `/admin/api${path}`,
      headers: authorized,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    };
  }

  /** Any order that an operator may give. */
  next(): Write {
    const number = this.writes.length;
    const reason = `write ${number}`;
    const key = { "idempotency-key": `key-${number}` };
    const among = <T>(choices: readonly T[]) => choices[Math.floor(this.#random() * choices.length)] as T;
    const [database, flag] = [among(["primary", "other", "*"]), `flag ${among([1, 2, 3, 4, 5])}`];
    const made = (
      method: string,
      path: string,
      body: object,
      isMadeOf: Write["isMadeOf"],
      ifMatch?: string,
    ): Write => ({
      asked: this.asked(method, path, { ...body, reason }, { ...key, ...(ifMatch && { "if-match": ifMatch }) }),
      reason,
      isWhole: ifMatch !== undefined,
      isMadeOf,
      answer: undefined,
    });
    const replaced = (name: string, value: object) => {
      const known = this.#orders.get(name)?.version ?? 0;
      const ifMatch = this.#random() < 0.3 ? `"${known}"` : "*";
      return made("PUT", `/orders/${name}`, { value }, (after) => isDeepStrictEqual(after.value, value), ifMatch);
    };
    const circuits = (order: Json) => order?.value.circuits?.[database] ?? {};
    const drains = (order: Json) => order?.value.pools?.[database]?.drains ?? 0;
    const choices: (() => Write)[] = [
      () => made("POST", "/kill", { flags: [flag] }, (after) => after.value.flags.includes(flag)),
      () => made("POST", "/kill/release", { flags: [flag] }, (after) => !after.value.flags.includes(flag)),
      () => made("POST", `/circuits/${database}/hold`, { state: "open" }, (after) => circuits(after).hold === "open"),
      () => made("POST", `/circuits/${database}/release`, {}, (after) => circuits(after).hold === undefined),
      () =>
        made(
          "POST",
          `/circuits/${database}/reset`,
          {},
          (after, before) => circuits(after).resets === (circuits(before).resets ?? 0) + 1,
        ),
      () => made("POST", `/pools/${database}/drain`, {}, (after, before) => drains(after) === drains(before) + 1),
      () => replaced("flags", { version: 1, revision: number }),
      () => replaced("config", { connectionPool: { maxConnections: 1 + (number % 50) } }),
      () => replaced("phase", { phase: among(["validation", "canary", "full"]), number }),
      () => {
        const id = `tenant-${number % 5}`;
        return made(
          "PUT",
          `/tenants/${id}`,
          { tier: among(["FREE", "PRO"]), suspended: this.#random() < 0.5 },
          (after) => after.value.tenants[id] !== undefined,
        );
      },
      () =>
        made("POST", "/tokens", { label: reason, role: "viewer" }, (after, before) => {
          return before === null && after.label === reason;
        }),
      () => {
        const id = this.#tokens.shift();
        return id === undefined
          ? replaced("flags", { version: 1, revision: number })
          : made("DELETE", `/tokens/${id}`, {}, (after) => after.id === id);
      },
    ];
    const write = among(choices)();
    this.writes.push(write);
    return write;
  }

  /** Asks for all that is there, as it is at one time, and holds it against what was told. */
  async check(place: Place, recent: readonly Write[]): Promise<Map<Write, AuditRecord | undefined>> {
    // What was asked for last, by who is dead, may be done only now.
    for (;;) {
      const head = await place.read("audit/head");
      const before = this.records.length;
      const found = await this.#records(place);
      const names = ["config", "flags", "kill", "phase", "control", "tenants", "tokens"];
      const orders = await Promise.all(names.map(async (name) => [name, await place.read(`orders/${name}`)] as const));
      const answers = new Map(
        await Promise.all(recent.map(async (write) => [write, await this.#isAnswerKept(place, write)] as const)),
      );
      if ((await place.read("audit/head")) !== head) continue;
      this.records.push(...found);
      this.#checkRecords(before);
      this.#checkOrders(orders, JSON.parse(head ?? "null"));
      await this.#checkTokens(place);
      const of = new Map<Write, AuditRecord | undefined>();
      for (const write of recent) of.set(write, this.#checkWrite(write, answers.get(write) === true));
      return of;
    }
  }

  /** Records that are new, the oldest first, of a log that says that it is whole. */
  async #records(place: Place): Promise<AuditRecord[]> {
    for (let from: number | null = 1; from !== null; ) {
      const verified = await this.#json(place, `/audit/verify?from=${from}`);
      expect(verified).toMatchObject({ isWhole: true, broken: null });
      from = verified.next;
    }
    const found: AuditRecord[] = [];
    const known = this.records.at(-1)?.seq ?? 0;
    for (let before: number | null = 999_999_999; before !== null; ) {
      const page: { records: AuditRecord[]; next: number | null } = await this.#json(
        place,
        `/audit?limit=100&before=${before}`,
      );
      found.push(...page.records.filter(({ seq }) => seq > known));
      before = page.records.some(({ seq }) => seq <= known) ? null : page.next;
    }
    return found.reverse();
  }

  async #json(place: Place, path: string): Promise<Json> {
    const { status, body } = await place.ask(0, this.asked("GET", path));
    expect([path, status]).toStrictEqual([path, 200]);
    return JSON.parse(body);
  }

  /** Whether the answer to a write is there for who sends it again. */
  async #isAnswerKept(place: Place, { asked }: Write): Promise<boolean> {
    const digest = createHash("sha256").update(`admin\n${asked.headers["idempotency-key"]}`).digest("hex");
    const today = Math.floor(Date.now() / DAY_MS);
    const days = [today - 1, today].map((day) => place.read(`idempotency/${String(day).padStart(8, "0")}/${digest}`));
    const kept = (await Promise.all(days)).filter((text) => text !== null);
    expect(kept.length).toBeLessThanOrEqual(1);
    return kept.length === 1;
  }

  /** Each follows the one before, and so do the orders that they are about. */
  #checkRecords(from: number): void {
    for (const [index, record] of this.records.entries()) {
      if (index < from) continue;
      expect(record.seq).toBe(index + 1);
      const name = /^orders\/(\w+)$/.exec(record.target)?.[1];
      if (name === undefined) continue;
      const before = this.#orders.get(name) ?? null;
      expect(record.before, `record ${record.seq}`).toStrictEqual(before);
      const after = record.after as Recorded;
      expect(after?.version, `record ${record.seq}`).toBe((before?.version ?? 0) + 1);
      this.#orders.set(name, after);
    }
  }

  /** What is there is what was recorded last, and the head says so. */
  #checkOrders(orders: (readonly [string, string | null])[], head: Json): void {
    expect(head?.seq ?? 0).toBe(this.records.length);
    for (const [name, text] of orders) {
      if (name === "tokens") continue;
      const found = JSON.parse(text ?? "null");
      const recorded = this.#orders.get(name) ?? null;
      const { version, value } = found?.order ?? {};
      expect([name, found === null ? null : { version, value }]).toStrictEqual([name, recorded]);
      const mark = found === null ? undefined : { version, sha256: found.sha256 };
      expect([name, head?.orders[name]]).toStrictEqual([name, mark]);
    }
  }

  /** Each token that was made is there once. */
  async #checkTokens(place: Place): Promise<void> {
    const { tokens } = (await this.#json(place, "/tokens")) as { tokens: { id: string; label: string }[] };
    const targets = this.records.map(({ target }) => target).filter((target) => target.startsWith("tokens/"));
    expect(new Set(tokens.map(({ id }) => `tokens/${id}`))).toStrictEqual(new Set(targets));
    expect(new Set(tokens.map(({ label }) => label)).size).toBe(tokens.length);
  }

  /** What was told of it is so, and of what is there nothing is missing. */
  #checkWrite(write: Write, isAnswerKept: boolean): AuditRecord | undefined {
    const found = this.records.filter(({ reason }) => reason === write.reason);
    const { answer, reason } = write;
    const [record] = found;
    expect([reason, found.length]).toStrictEqual([reason, isAnswerKept ? 1 : 0]);
    if (record !== undefined) {
      const isMade = write.isMadeOf(record.after, record.before);
      expect(isMade, `${JSON.stringify(write.asked.body)} made ${JSON.stringify(record)}`).toBe(true);
    }
    if (answer === "lost" || answer === undefined) return record;
    const { code, version } = JSON.parse(answer.body) as { code?: string; version?: number };
    if (answer.status < 300) {
      expect([reason, isAnswerKept]).toStrictEqual([reason, true]);
      if (version !== undefined)
        expect([reason, version]).toStrictEqual([reason, (record?.after as Recorded)?.version]);
    } else {
      // Nobody may be told what is not so; the stores here lose no answers but by who is killed.
      const allowed = write.isWhole ? ["STORE_BUSY", "ORDER_CHANGED", "ORDER_CONFLICT"] : ["STORE_BUSY"];
      expect(allowed, `${reason}: ${answer.status} ${answer.body}`).toContain(code);
      expect([reason, isAnswerKept]).toStrictEqual([reason, false]);
    }
    return record;
  }

  /** Notes what a later write may be about. */
  learn(record: AuditRecord | undefined): void {
    const id = /^tokens\/(.+)$/.exec(record?.target ?? "")?.[1];
    if (id !== undefined && record?.before === null) this.#tokens.push(id);
  }
}

/**
 * Kills and looks, until enough rounds have been and answers were lost both of a write that was done and of one that was not.
 *
 * @throws Error when something is not as it must be.
 */
export async function killRounds({ start, token, rounds, random }: KillOptions): Promise<Tally> {
  const ledger = new Ledger(token, random);
  const tally: Tally = { rounds: 0, answered: 0, lost: 0, done: 0, undone: 0 };
  let place = await start();
  let answerMs = 10;
  try {
    while (tally.rounds < rounds || ((tally.done === 0 || tally.undone === 0) && tally.rounds < rounds * MORE_ROUNDS)) {
      tally.rounds += 1;
      const first = ledger.writes.length;
      answerMs = await killedRound(place, ledger, random, answerMs);
      await place.stop();
      place = await start();
      const recent = ledger.writes.slice(first);
      const lost = recent.filter(({ answer }) => answer === "lost");
      const found = await ledger.check(place, recent);
      for (const write of lost) {
        const isDone = found.get(write) !== undefined;
        tally[isDone ? "done" : "undone"] += 1;
        await repeated(place, write, isDone);
      }
      tally.lost += lost.length;
      tally.answered += recent.length - lost.length;
      for (const record of (await ledger.check(place, recent)).values()) ledger.learn(record);
    }
  } finally {
    await place.stop();
  }
  return tally;
}

/** Gives orders until the kill. Gives how long an answer takes. */
async function killedRound(place: Place, ledger: Ledger, random: () => number, guessMs: number): Promise<number> {
  let isOver = false;
  let [answers, tookMs] = [0, 0];
  const victims = random() < 0.3 ? [OPERATORS[Math.floor(random() * OPERATORS.length)] as number] : OPERATORS;
  const killAt = 2 + Math.floor(random() * ANSWERS_MAX);
  let kill = () => {};
  const killed = new Promise<void>((resolve, reject) => {
    kill = () => {
      setTimeout(
        () => {
          isOver = true;
          place.kill(victims).then(resolve, reject);
        },
        // Rather late than early: a write is done shortly before its answer.
        Math.sqrt(random()) * (answers === 0 ? guessMs : tookMs / answers),
      );
    };
  });
  const operators = OPERATORS.map(async (operator) => {
    while (!isOver) {
      const write = ledger.next();
      const began = performance.now();
      write.answer = await place.ask(operator, write.asked).catch(() => "lost" as const);
      if (write.answer === "lost") return;
      answers += 1;
      tookMs += performance.now() - began;
      if (answers === killAt) kill();
    }
  });
  await Promise.all([...operators, killed]);
  return tookMs / answers;
}

/** Sends a write again, twice at once and once more: who sends it learns what was done, and it was done once. */
async function repeated(place: Place, write: Write, wasDone: boolean): Promise<void> {
  const again = await Promise.all(OPERATORS.map((operator) => place.ask(operator, write.asked)));
  again.push(await place.ask(0, write.asked));
  const replays = again.filter(({ headers }) => headers["idempotency-replayed"] === "true").length;
  const statuses = again.map(({ status }) => status);
  if (!wasDone && write.isWhole && statuses.every((status) => status === 412 || status === 409)) return;
  expect([write.reason, ...statuses.map((status) => (status < 300 ? "done" : status))]).toStrictEqual([
    write.reason,
    "done",
    "done",
    "done",
  ]);
  // Of what has ended already there is nothing to be done, nor to be kept as an answer.
  const isEnd = write.asked.method === "DELETE" && replays === 1;
  expect([write.reason, replays]).toStrictEqual([write.reason, wasDone ? 3 : isEnd ? 1 : 2]);
  const kept = again.filter(({ headers }) => headers["idempotency-replayed"] === "true").map(({ body }) => body);
  expect(new Set(kept).size).toBe(1);
  write.answer = again.at(-1);
}
