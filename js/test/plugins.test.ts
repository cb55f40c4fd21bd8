import { expect, test } from "vitest";
import { createClient, memoryStore, type Plugin, protect } from "../src/index.ts";

/** A plugin as somebody would write it: hints in memory, requests to nowhere. */
function sample(): Plugin & { made: unknown[]; sent: string[] } {
  const made: unknown[] = [];
  const sent: string[] = [];
  return {
    name: "sample",
    made,
    sent,
    createStore(settings) {
      made.push(settings);
      return memoryStore();
    },
    async fetch(request) {
      sent.push(request.url);
      return new Response(JSON.stringify({ baton: null, base_url: null, results: [] }), {
        status: 418,
        headers: { "content-type": "application/json" },
      });
    },
  };
}

test("CFG-08: settings name a plugin's store and its way to send requests", async () => {
  const plugin = sample();
  // What a file of settings can hold, beside the code that holds the plugins.
  const file = JSON.parse(
    '{"state":{"store":"sample","storeSettings":{"size":3}},"transport":"sample","retry":{"attempts":1}}',
  );
  const db = createClient({ url: "http://db.invalid", seawall: { ...file, plugins: [plugin] } });
  expect(plugin.made).toEqual([{ size: 3 }]);
  await db.execute("SELECT 1").catch(() => {});
  expect(plugin.sent.length).toBeGreaterThan(0);
  expect(plugin.sent[0]).toContain("http://db.invalid/");
  db.close();
  expect(protect({ ask: async () => 1 }, { ...file, transport: undefined, plugins: [sample()] })).toBeDefined();
});

test("CFG-08: a name that no plugin has, and a plugin without the part, are told with what there is", () => {
  const open = (seawall: object) => () => createClient({ url: "http://db.invalid", seawall });
  const plugin = sample();
  expect(open({ state: { store: "simple" }, plugins: [plugin] })).toThrow(
    'state.store must be the name of a plugin with createStore() (sample), got "simple"',
  );
  expect(open({ transport: "bare", plugins: [{ name: "bare" }] })).toThrow(
    "transport must be the name of a plugin with fetch()",
  );
  expect(open({ plugins: [plugin, plugin] })).toThrow("plugins: two have the same name");
  expect(open({ plugins: [{ name: "a b" }] })).toThrow("is no name for a plugin");
});
