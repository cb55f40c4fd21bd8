// Events, domains and the end as OpenFeature specifies them (its sections 1.6, 1.7, 2.4, 2.5 and 5).
import {
  type EvaluationContext,
  type EventDetails,
  OpenFeature,
  ProviderEvents,
  ProviderStatus,
} from "@openfeature/server-sdk";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createFlags, type Flags, type FlagsOptions } from "../src/flags/index.ts";
import { type OpenFeatureOptions, openFeatureProvider } from "../src/openfeature/index.ts";
import { clientOf, DOCUMENT, flagsOf, orders, reset, settled } from "./openfeature.ts";

let ended = new AbortController();

afterEach(async () => {
  ended.abort();
  ended = new AbortController();
  vi.useRealTimers();
  await reset();
});

const ALL = [
  ProviderEvents.Ready,
  ProviderEvents.Error,
  ProviderEvents.Stale,
  ProviderEvents.ConfigurationChanged,
] as const;

/** Writes down what is heard of all events from now on, to the end of the test. */
function heardBy(target: Pick<typeof OpenFeature, "addHandler">) {
  const heard: [string, EventDetails | undefined][] = [];
  const { signal } = ended;
  for (const event of ALL)
    target.addHandler(event, (told) => void heard.push([event, told as EventDetails]), { signal });
  heard.length = 0;
  return heard;
}

const names = (heard: [string, unknown][]) => heard.map(([name]) => name);

/** Flags without definitions, in a provider that has begun and failed. */
async function empty(more: FlagsOptions = {}, options: OpenFeatureOptions = {}) {
  const flags = createFlags({ env: {}, ...more });
  await OpenFeature.setProviderAndWait(openFeatureProvider(flags, options)).catch(() => {});
  return { flags, client: OpenFeature.getClient() };
}

describe("READY", () => {
  test("is told when there are definitions, to the API and to clients", async () => {
    const [ofApi, ofClient] = [vi.fn(), vi.fn()];
    const client = OpenFeature.getClient();
    OpenFeature.addHandler(ProviderEvents.Ready, ofApi);
    client.addHandler(ProviderEvents.Ready, ofClient);
    await OpenFeature.setProviderAndWait(openFeatureProvider(flagsOf()));
    await settled();
    expect(ofApi).toHaveBeenCalledWith(expect.objectContaining({ providerName: "seawall" }));
    expect(ofClient).toHaveBeenCalledTimes(1);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("is told at once to who listens late", async () => {
    const client = await clientOf();
    const late = vi.fn();
    client.addHandler(ProviderEvents.Ready, late);
    OpenFeature.addHandler(ProviderEvents.Ready, late);
    expect(late).toHaveBeenCalledTimes(2);
    const other = vi.fn();
    client.addHandler(ProviderEvents.Stale, other);
    client.addHandler(ProviderEvents.Error, other);
    expect(other).not.toHaveBeenCalled();
  });

  test("follows the first definitions where there were none", async () => {
    const { flags, client } = await empty();
    expect(client.providerStatus).toBe(ProviderStatus.ERROR);
    const heard = heardBy(client);
    flags.update(DOCUMENT);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.ConfigurationChanged, ProviderEvents.Ready]);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("ends the wait that was asked for, and nothing is told twice", async () => {
    const flags = createFlags({ env: {} });
    const heard = heardBy(OpenFeature);
    const begun = OpenFeature.setProviderAndWait(openFeatureProvider(flags, { waitMs: 60_000 }));
    expect(OpenFeature.getClient().providerStatus).toBe(ProviderStatus.NOT_READY);
    flags.update(DOCUMENT);
    await begun;
    await settled();
    expect(names(heard).filter((name) => name === ProviderEvents.Ready)).toHaveLength(1);
    expect(OpenFeature.getClient().providerStatus).toBe(ProviderStatus.READY);
  });
});

describe("ERROR", () => {
  test("is told when there are no definitions, with why; who listens late hears it too", async () => {
    const heard = heardBy(OpenFeature);
    const { client } = await empty();
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Error]);
    expect(heard[0]?.[1]?.message).toContain("No definitions");
    const late = vi.fn();
    client.addHandler(ProviderEvents.Error, late);
    expect(late).toHaveBeenCalledTimes(1);
  });

  test("ends a wait whose time is over", async () => {
    vi.useFakeTimers();
    const begun = OpenFeature.setProviderAndWait(openFeatureProvider(createFlags({ env: {} }), { waitMs: 5_000 }));
    const ended = expect(begun).rejects.toMatchObject({ code: "PROVIDER_NOT_READY" });
    await vi.advanceTimersByTimeAsync(5_000);
    await ended;
    expect(OpenFeature.getClient().providerStatus).toBe(ProviderStatus.ERROR);
  });

  test("is told with what is wrong where the first definitions were refused, and ends when others come", async () => {
    const { monitor, order } = orders();
    const { client } = await empty({ monitor });
    const heard = heardBy(client);
    order("flags", { version: 1, flags: { a: { rulez: [] } } });
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Error]);
    expect(heard[0]?.[1]).toMatchObject({ message: expect.stringContaining("rulez"), metadata: { problems: 1 } });
    order("flags", DOCUMENT);
    await settled();
    expect(names(heard).at(-1)).toBe(ProviderEvents.Ready);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("ends a wait in which definitions were refused", async () => {
    const { monitor, order } = orders();
    const flags = createFlags({ monitor, env: {} });
    const begun = OpenFeature.setProviderAndWait(openFeatureProvider(flags, { waitMs: 60_000 }));
    order("flags", { version: 9 });
    await expect(begun).rejects.toMatchObject({ code: "PARSE_ERROR" });
  });

  test("is told once when flags cannot be evaluated, and READY when they can again", async () => {
    let isFailing = true;
    const flags = flagsOf();
    const source = {
      isReady: true,
      on: flags.on.bind(flags),
      for: (context: EvaluationContext) => {
        const asked = flags.for(context);
        const broken = { value: false, reason: "ERROR", errorCode: "GENERAL", metadata: { revision: 0 } } as const;
        const booleanDetails = (key: string) => (isFailing ? broken : asked.booleanDetails(key));
        return Object.assign(Object.create(asked), { booleanDetails });
      },
    };
    await OpenFeature.setProviderAndWait(openFeatureProvider(source));
    const client = OpenFeature.getClient();
    const heard = heardBy(client);
    for (let at = 0; at < 3; at += 1) await client.getBooleanValue("boolean.static", false);
    expect(client.providerStatus).toBe(ProviderStatus.ERROR);
    isFailing = false;
    expect(await client.getBooleanValue("boolean.static", false)).toBe(true);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Error, ProviderEvents.Ready]);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });
});

describe("CONFIGURATION_CHANGED", () => {
  /** What is told to have changed by what is done. */
  async function changes(definitions: FlagsOptions["definitions"], change: (flags: Flags) => unknown) {
    const flags = createFlags({ definitions: definitions as never, env: {} });
    const client = await clientOf(flags);
    const heard = heardBy(client);
    change(flags);
    await settled();
    return heard
      .filter(([name]) => name === ProviderEvents.ConfigurationChanged)
      .map(([, told]) => (told as { flagsChanged?: string[] }).flagsChanged);
  }

  const segment = (...values: string[]) => ({ staff: [{ attr: "email", in: values }], other: [] });
  const base = {
    version: 1,
    revision: 1,
    segments: segment("a"),
    flags: {
      a: { rules: [{ if: [{ any: [{ segment: "staff" }, { segment: "other" }] }], serve: "on" }] },
      b: { requires: [{ flag: "a", is: ["on"] }] },
      c: { requires: [{ flag: "b", is: ["on"] }] },
      d: { rules: [{ rollout: 10, serve: "on" }] },
      e: {},
    },
  };

  test("names the flags that were added, changed and taken away", async () => {
    const { e: _, ...flags } = base.flags;
    const next = { ...base, flags: { ...flags, d: { rules: [{ rollout: 20, serve: "on" }] }, f: {} } };
    expect(await changes(base, (flags) => flags.update(next))).toEqual([["d", "e", "f"]]);
  });

  test("names those that depend on a segment, and who requires them", async () => {
    expect(await changes(base, (flags) => flags.update({ ...base, segments: segment("b") }))).toEqual([
      ["a", "b", "c"],
    ]);
  });

  test("names what is killed and who requires it; again when it is let go", async () => {
    const told = await changes(base, (flags) => {
      flags.kill(["b"]);
      flags.kill(["b", "d"]);
      flags.kill([]);
    });
    expect(told).toEqual([["b", "c"], ["d"], ["b", "c", "d"]]);
  });

  test("names all when all are killed, and what the document itself kills", async () => {
    const told = await changes(base, (flags) => {
      flags.kill(true);
      flags.kill([]);
      flags.update({ ...base, kill: ["e"] });
    });
    expect(told).toEqual([["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e"], ["e"]]);
  });

  test("is not told where no flag is other than before", async () => {
    expect(await changes(base, (flags) => flags.update({ ...base, revision: 2 }))).toEqual([]);
  });

  test("says nothing of flags where it cannot be known, as of a snapshot", async () => {
    expect(
      await changes(createFlags({ definitions: base, env: {} }).snapshot(), (flags) => flags.update(base)),
    ).toEqual([undefined]);
  });

  test("tells the revision, and leaves the status as it is", async () => {
    const flags = flagsOf();
    const client = await clientOf(flags);
    const heard = heardBy(client);
    flags.update({ ...DOCUMENT, revision: 13, kill: ["string.static"] });
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.ConfigurationChanged]);
    expect(heard[0]?.[1]).toMatchObject({ metadata: { revision: 13, warnings: 0 }, flagsChanged: ["string.static"] });
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });
});

describe("STALE", () => {
  const NOW = 1_700_000_000_000;

  test("is told once, at the first answer that is too old, and values are served on", async () => {
    vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
    const client = await clientOf();
    const heard = heardBy(client);
    vi.setSystemTime(NOW + 60_001);
    const context = { targetingKey: "u" };
    for (let at = 0; at < 3; at += 1) {
      expect(await client.getBooleanDetails("boolean.stale", false, context)).toMatchObject({ reason: "STALE" });
    }
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Stale]);
    expect(heard[0]?.[1]?.message).toContain("boolean.stale");
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    const late = vi.fn();
    client.addHandler(ProviderEvents.Stale, late);
    expect(late).toHaveBeenCalledTimes(1);
  });

  test("ends when the definitions are confirmed, whichever flag is asked for next", async () => {
    vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
    const flags = flagsOf();
    const client = await clientOf(flags);
    const heard = heardBy(client);
    vi.setSystemTime(NOW + 60_001);
    await client.getBooleanValue("boolean.stale", false);
    // One that keeps for ever says nothing of it.
    await client.getBooleanValue("boolean.static", false);
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    flags.confirm();
    await client.getBooleanValue("boolean.static", false);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Stale, ProviderEvents.Ready]);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("ends with newer definitions, and not with a kill", async () => {
    vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
    const flags = flagsOf();
    const client = await clientOf(flags);
    vi.setSystemTime(NOW + 60_001);
    await client.getBooleanValue("boolean.stale", false);
    flags.kill(["boolean.static"]);
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    flags.update(DOCUMENT);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("is told when definitions were refused, and those before hold on until others come", async () => {
    vi.useFakeTimers({ now: NOW, toFake: ["Date"] });
    const { monitor, order } = orders();
    const flags = flagsOf({ monitor });
    const client = await clientOf(flags);
    const heard = heardBy(client);
    vi.setSystemTime(NOW + 1);
    order("flags", { version: 1, flags: { "boolean.static": { rulez: [] } } });
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Stale]);
    expect(heard[0]?.[1]).toMatchObject({ message: expect.stringContaining("rulez"), metadata: { problems: 1 } });
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    expect(await client.getBooleanDetails("boolean.static", false)).toMatchObject({ value: true, reason: "STATIC" });
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    // The same as before, ordered once more, is current.
    order("flags", DOCUMENT);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Stale, ProviderEvents.Ready]);
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });
});

describe("STALE, of a store", () => {
  /** Flags whose store a test lets fall silent. */
  async function stored() {
    const flags = flagsOf();
    const told = { stale: () => {}, fresh: () => {} } as Record<string, (told: unknown) => void>;
    const on = ((event: "change", listener: never) => {
      if (event in told) told[event] = listener;
      return flags.on(event, listener);
    }) as Flags["on"];
    await OpenFeature.setProviderAndWait(openFeatureProvider({ isReady: true, on, for: (who) => flags.for(who) }));
    const client = OpenFeature.getClient();
    return { flags, client, told, heard: heardBy(client) };
  }

  test("is told when the store does not answer, without what it said, and ends when it does", async () => {
    const { client, told, heard } = await stored();
    told.stale?.({ error: new Error("token=hunter2"), confirmedAtMs: 5 });
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    expect(await client.getBooleanDetails("boolean.static", false)).toMatchObject({ value: true, reason: "STATIC" });
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
    told.fresh?.({});
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.Stale, ProviderEvents.Ready]);
    expect(heard[0]?.[1]).toMatchObject({ metadata: { confirmedAtMs: 5 } });
    expect(JSON.stringify(heard)).not.toContain("hunter2");
    expect(client.providerStatus).toBe(ProviderStatus.READY);
  });

  test("does not end what is wrong for another reason", async () => {
    vi.useFakeTimers({ now: 1_700_000_000_000, toFake: ["Date"] });
    const { client, told } = await stored();
    vi.setSystemTime(1_700_000_000_000 + 60_001);
    await client.getBooleanValue("boolean.stale", false);
    told.stale?.({ error: new Error(), confirmedAtMs: 5 });
    told.fresh?.({});
    expect(client.providerStatus).toBe(ProviderStatus.STALE);
  });
});

describe("handlers", () => {
  test("that throw disturb neither others nor flags", async () => {
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    OpenFeature.setLogger(logger);
    const flags = flagsOf();
    const client = await clientOf(flags);
    const heard = vi.fn();
    client.addHandler(ProviderEvents.ConfigurationChanged, () => {
      throw new Error("mine");
    });
    client.addHandler(ProviderEvents.ConfigurationChanged, async () => {
      throw new Error("mine, later");
    });
    client.addHandler(ProviderEvents.ConfigurationChanged, heard);
    flags.kill(["boolean.static"]);
    await settled();
    expect(heard).toHaveBeenCalledTimes(1);
  });

  test("of the provider itself: what one throws is its logger's, and others are called", async () => {
    const provider = openFeatureProvider(flagsOf());
    const logger = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() };
    provider.events.setLogger(logger);
    const heard = vi.fn();
    provider.events.addHandler(ProviderEvents.Stale, () => {
      throw new Error("mine");
    });
    provider.events.addHandler(ProviderEvents.Stale, heard);
    provider.events.addHandler(ProviderEvents.Stale, heard);
    provider.events.removeHandler(ProviderEvents.Stale, heard);
    provider.events.emit(ProviderEvents.Stale, { message: "old" });
    await settled();
    expect(heard.mock.calls).toEqual([[{ message: "old" }]]);
    expect(logger.error).toHaveBeenCalledTimes(1);
    expect(provider.events.getHandlers(ProviderEvents.Stale)).toHaveLength(2);
    provider.events.removeAllHandlers();
    expect(provider.events.getHandlers(ProviderEvents.Stale)).toEqual([]);
  });

  test("that were removed hear nothing", async () => {
    const flags = flagsOf();
    const client = await clientOf(flags);
    const heard = vi.fn();
    client.addHandler(ProviderEvents.ConfigurationChanged, heard);
    client.removeHandler(ProviderEvents.ConfigurationChanged, heard);
    const signal = AbortSignal.abort();
    const controller = new AbortController();
    client.addHandler(ProviderEvents.ConfigurationChanged, heard, { signal: controller.signal });
    controller.abort(signal.reason);
    flags.kill(["boolean.static"]);
    await settled();
    expect(heard).not.toHaveBeenCalled();
  });
});

describe("domains", () => {
  test("have a provider of their own, and others the default one", async () => {
    const beta = flagsOf({ definitions: { version: 1, revision: 99, flags: { "boolean.static": {} } } });
    await OpenFeature.setProviderAndWait("beta", openFeatureProvider(beta));
    await clientOf();
    expect(await OpenFeature.getClient("beta").getBooleanDetails("boolean.static", true)).toMatchObject({
      value: false,
      flagMetadata: { revision: 99 },
    });
    for (const client of [OpenFeature.getClient(), OpenFeature.getClient("unbound")]) {
      const found = await client.getBooleanDetails("boolean.static", false);
      expect(found).toMatchObject({ value: true, flagMetadata: { revision: 12 } });
    }
  });

  test("hear of their own provider and of no other", async () => {
    const [beta, other] = [flagsOf(), flagsOf()];
    await OpenFeature.setProviderAndWait("beta", openFeatureProvider(beta));
    await OpenFeature.setProviderAndWait("other", openFeatureProvider(other));
    const heard = [heardBy(OpenFeature.getClient("beta")), heardBy(OpenFeature.getClient("other"))];
    beta.kill(["boolean.static"]);
    await settled();
    expect(heard.map(names)).toEqual([[ProviderEvents.ConfigurationChanged], []]);
    expect(heard[0]?.[0]?.[1]).toMatchObject({ domain: "beta", providerName: "seawall" });
  });

  test("may share one provider, which begins once and serves all", async () => {
    const flags = flagsOf();
    const listened = vi.spyOn(flags, "on");
    const provider = openFeatureProvider(flags);
    await OpenFeature.setProviderAndWait("one", provider);
    await OpenFeature.setProviderAndWait("two", provider);
    expect(listened.mock.calls.map(([event]) => event)).toEqual(["change", "stale", "fresh", "refused"]);
    const heard = [heardBy(OpenFeature.getClient("one")), heardBy(OpenFeature.getClient("two"))];
    flags.kill(["string.static"]);
    await settled();
    expect(heard.map(names)).toEqual([[ProviderEvents.ConfigurationChanged], [ProviderEvents.ConfigurationChanged]]);
  });
});

describe("the end", () => {
  test("of the SDK ends the listening, and neither flags nor others who listen", async () => {
    const flags = flagsOf();
    const mine = vi.fn();
    flags.on("change", mine);
    const client = await clientOf(flags);
    const heard = heardBy(client);
    await OpenFeature.close();
    flags.kill(["boolean.static"]);
    await settled();
    expect(heard).toEqual([]);
    expect(mine).toHaveBeenCalledTimes(1);
    expect(flags.for({}).boolean("boolean.split")).toBeTypeOf("boolean");
  });

  test("of a provider that is replaced; the new one is listened to", async () => {
    const [old, now] = [flagsOf(), flagsOf()];
    await clientOf(old);
    const client = await clientOf(now);
    const heard = heardBy(client);
    old.kill(["boolean.static"]);
    await settled();
    expect(heard).toEqual([]);
    now.kill(["boolean.static"]);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.ConfigurationChanged]);
  });

  test("of a provider is not for ever: set again, it listens again", async () => {
    const flags = flagsOf();
    const provider = openFeatureProvider(flags);
    await OpenFeature.setProviderAndWait(provider);
    await OpenFeature.clearProviders();
    await OpenFeature.setProviderAndWait(provider);
    const heard = heardBy(OpenFeature.getClient());
    flags.kill(["boolean.static"]);
    await settled();
    expect(names(heard)).toEqual([ProviderEvents.ConfigurationChanged]);
  });

  test("ends a wait, too", async () => {
    const provider = openFeatureProvider(createFlags({ env: {} }), { waitMs: 60_000 });
    const begun = OpenFeature.setProviderAndWait(provider);
    const ended = expect(begun).rejects.toMatchObject({ code: "PROVIDER_NOT_READY" });
    await OpenFeature.close();
    await ended;
  });

  test("takes flags away from clients: they get what the code says", async () => {
    const client = await clientOf();
    await OpenFeature.clearProviders();
    expect(await client.getStringValue("string.static", "code")).toBe("code");
  });
});
