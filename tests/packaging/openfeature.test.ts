// `seawall/openfeature` in an application that has OpenFeature's SDK, and in one that has not.
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bundleWorker, COMPATIBILITY_DATE } from "../support/workerd.mjs";
import { type Consumer, installTarball, ROOT, run } from "./tarball.ts";

let consumer: Consumer;

beforeAll(async () => {
  consumer = await installTarball();
  mkdirSync(join(consumer.folder, "with"));
  const modules = join(consumer.folder, "with/node_modules");
  mkdirSync(join(modules, "@types"), { recursive: true });
  for (const name of ["@openfeature", "@types/node", "undici-types"])
    symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
});
afterAll(() => consumer?.remove());

function write(name: string, text: string): string {
  const path = join(consumer.folder, name);
  writeFileSync(path, text);
  return path;
}

const ASKED = `
  const definitions = { version: 1, revision: 4, flags: { ab: { variants: { A: "blue", B: "blue" }, default: "A", rules: [{ serve: { A: 50, B: 50 } }] } } };
  const exposures = createExposures();
  const flags = createFlags({ definitions });
  async function main() {
    await OpenFeature.setProviderAndWait(openFeatureProvider(flags, { exposures }));
    const client = OpenFeature.getClient();
    const { value, reason, flagMetadata } = await client.getStringDetails("ab", "red", { targetingKey: "u" });
    client.track("bought", { targetingKey: "u" });
    const [{ converted }] = exposures.report().variants;
    console.log(JSON.stringify({ value, reason, revision: flagMetadata.revision, converted }));
  }
  main();`;
const ANSWER = { value: "blue", reason: "SPLIT", revision: 4, converted: [{ event: "bought", count: 1, value: 0 }] };

it("Node imports and requires it, beside the SDK of the application", async () => {
  const imports = [
    'import { OpenFeature } from "@openfeature/server-sdk";',
    'import { createFlags } from "seawall/flags";',
    'import { createExposures, openFeatureProvider } from "seawall/openfeature";',
  ].join("\n");
  const required = imports.replace(/import (.*) from (".*");/g, "const $1 = require($2);");
  for (const [name, load] of [
    ["with/import.mjs", imports],
    ["with/require.cjs", required],
  ] as const) {
    const path = write(name, `${load}${ASKED}`);
    expect(JSON.parse(await run(process.execPath, [path], consumer.folder)), name).toEqual(ANSWER);
  }
});

it("it loads without the SDK, as it needs nothing but its types", async () => {
  const path = write("without.mjs", `console.log(Object.keys(await import("seawall/openfeature")).sort().join());`);
  expect((await run(process.execPath, [path], consumer.folder)).trim()).toBe("createExposures,openFeatureProvider");
  const code = readFileSync(join(consumer.installed, "dist/openfeature/index.js"), "utf8");
  expect(code).not.toMatch(/^\s*import\b|\brequire\(|import\(/m);
});

it("workerd runs it with the SDK, which wants what Node has", async () => {
  const entry = write(
    "with/worker.mjs",
    `import { OpenFeature } from "@openfeature/server-sdk";
    import { createFlags } from "seawall/flags";
    import { openFeatureProvider } from "seawall/openfeature";
    const flags = createFlags({ definitions: { version: 1, flags: { new: { rules: [{ rollout: 100, serve: "on" }] } } } });
    // Nothing of a request may wait for what another one begins: a provider with definitions begins at once.
    OpenFeature.setProvider(openFeatureProvider(flags));
    export default {
      async fetch() {
        const client = OpenFeature.getClient();
        const { value, reason } = await client.getBooleanDetails("new", false, { targetingKey: "u" });
        flags.kill(["new"]);
        return Response.json({ value, reason, killed: await client.getBooleanValue("new", true), status: client.providerStatus });
      },
    };`,
  );
  const modules = await bundleWorker(entry, { alias: { async_hooks: "node:async_hooks" } });
  const miniflare = new Miniflare({
    cf: false,
    host: "127.0.0.1",
    compatibilityDate: COMPATIBILITY_DATE,
    compatibilityFlags: ["nodejs_compat"],
    modulesRoot: "/",
    modules: modules.map((module) => ({ ...module, path: `/${module.path}` })),
  });
  try {
    const answer = await (await fetch(await miniflare.ready)).json();
    expect(answer).toEqual({ value: true, reason: "STATIC", killed: false, status: "READY" });
  } finally {
    await miniflare.dispose();
  }
});

it.each(["mts", "cts"])("TypeScript takes it for a provider in a .%s consumer", async (extension) => {
  const source = write(
    `with/consumer.${extension}`,
    `import { OpenFeature, type Provider } from "@openfeature/server-sdk";
    import { createFlags } from "seawall/flags";
    import { createExposures, type Exposure, openFeatureProvider } from "seawall/openfeature";
    const flags = createFlags({});
    const exposures = createExposures({ onExposure: ({ flag, variant }: Exposure) => flag + variant });
    export const provider: Provider = openFeatureProvider(flags, { exposures, waitMs: 5 });
    OpenFeature.setProvider(provider);
    OpenFeature.addHooks(exposures.hook);
    // @ts-expect-error: a provider is made of flags.
    openFeatureProvider({});
    // @ts-expect-error: an option that is none.
    openFeatureProvider(flags, { wait: 5 });`,
  );
  const strict = ["--strict", "--noEmit", "--skipLibCheck", "--exactOptionalPropertyTypes", "--target", "es2022"];
  const resolution = ["--module", "nodenext", "--moduleResolution", "nodenext", "--types", "node"];
  const compiler = join(ROOT, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [compiler, ...strict, ...resolution, source], join(consumer.folder, "with"));
});
