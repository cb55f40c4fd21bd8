// The dashboard in a browser, served by both hosts: the Worker in workerd and `handle` in Node, over a real database that goes.
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startChromium } from "../support/chromium.mjs";
import { type Host, type Hosts, startHosts } from "./hosts.ts";

const TOKEN = "a-token-that-nobody-may-see-anywhere-0123456789";
/** Longer than this test: what is open stays open. */
const RECOVERY_MS = "600000";
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const PICTURES = fileURLToPath(new URL("../../.seawall/dashboard/", import.meta.url));
/** A look every five seconds, and what the machine does besides. */
const SOON = { timeout: 20_000 };

let hosts: Hosts;
let browser: Browser;

beforeAll(async () => {
  mkdirSync(PICTURES, { recursive: true });
  hosts = await startHosts({ SEAWALL_ADMIN_TOKEN: TOKEN, CB_RECOVERY_TIMEOUT: RECOVERY_MS }, { adminToken: TOKEN });
  browser = await startChromium();
}, 300_000);
afterAll(async () => {
  await browser?.close();
  await hosts?.stop();
});

interface Opened {
  page: Page;
  /** What the console said, and dialogs, and what was asked of others. */
  complaints: string[];
}

async function open(address: string, colorScheme: "light" | "dark" = "light", width = 1_200): Promise<Opened> {
  const context = await browser.newContext({ colorScheme, viewport: { width, height: 900 } });
  const page = await context.newPage();
  const complaints: string[] = [];
  const { origin } = new URL(address);
  page.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith("data:"))
      complaints.push(`asked ${request.url()}`);
  });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) =>
      console.error(`policy: ${event.violatedDirective}`),
    );
  });
  await page.goto(address);
  return { page, complaints };
}

const addressOf = ({ port }: Host) => `http://127.0.0.1:${port}/api/dashboard`;

async function signIn(page: Page, token: string): Promise<void> {
  await page.getByLabel("Admin token, to see alerts").fill(token);
  await page.getByRole("button", { name: "Show alerts" }).click();
}

async function violations(page: Page): Promise<string[]> {
  await page.evaluate(`${axe.source}; 0`);
  const found = await page.evaluate(`axe.run(document, { runOnly: ${JSON.stringify(RULES)} })`);
  return (found as axe.AxeResults).violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`,
  );
}

const overflow = (page: Page) =>
  page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);

test("HLT-29: while all is well the page says so, in light and dark and on small screens", async () => {
  for (const host of hosts.all) {
    for (const [scheme, width] of [
      ["light", 360],
      ["dark", 1_200],
    ] as const) {
      const { page, complaints } = await open(addressOf(host), scheme, width);
      await page.getByText("Healthy", { exact: true }).waitFor(SOON);
      await expect(page.getByRole("status").innerText()).resolves.toMatch(/^Healthy, score \d+ of 100$/);
      const database = page.getByRole("region", { name: "Database primary" });
      await expect(database.innerText()).resolves.toMatch(/Closed, 0 failures/);
      await expect(database.innerText()).resolves.toMatch(/0 of 5 in use/);
      const connections = page.getByRole("region", { name: "Connections of primary" });
      // The probe was on one.
      await connections.getByRole("cell", { name: "ready" }).first().waitFor(SOON);
      expect(await violations(page), `${host.name} ${scheme}`).toStrictEqual([]);
      expect(await overflow(page)).toBe(0);
      expect(complaints).toStrictEqual([]);
      await page.screenshot({ path: `${PICTURES}well-${host.name}-${scheme}-${width}.png`, fullPage: true });
      await page.context().close();
    }
  }
}, 120_000);

test("H056: an address that names no view shows the overview", async () => {
  const [host] = hosts.all as [Host];
  for (const hash of ["#__proto__", "#constructor", "#toString", "#<img src=x onerror=alert(1)>"]) {
    const { page, complaints } = await open(addressOf(host) + hash);
    await page.getByRole("region", { name: "Database primary" }).waitFor(SOON);
    expect(await page.locator("[aria-current=page]").innerText()).toBe("Overview");
    expect(complaints).toStrictEqual([]);
    await page.getByRole("link", { name: "Connections" }).click();
    await page.getByRole("region", { name: "Database primary" }).waitFor({ ...SOON, state: "detached" });
    await page.context().close();
  }
}, 120_000);

test("a token that is none is refused in words, and the right one shows alerts and is kept nowhere", async () => {
  for (const host of hosts.all) {
    const { page } = await open(addressOf(host));
    await signIn(page, `${TOKEN}-not`);
    await page.getByText("The token was refused.").waitFor(SOON);
    await signIn(page, TOKEN);
    await page.getByText("No alert fires.").waitFor(SOON);
    const kept = await page.evaluate(() => [
      document.cookie,
      localStorage.length,
      sessionStorage.length,
      location.href,
    ]);
    expect(kept).toStrictEqual(["", 0, 0, addressOf(host)]);
    expect(await page.content()).not.toContain(TOKEN);
    await page.getByRole("button", { name: "Forget the token" }).click();
    await page.getByLabel("Admin token, to see alerts").waitFor(SOON);
    await page.context().close();
  }
}, 120_000);

test("H050 and H054: texts of others are text in the page, and JSON is no page", async () => {
  const [host] = hosts.all as [Host];
  const evil = `<img src=x onerror=alert(1)></script><script>alert(2)</script>{{7*7}}\u202eevil ${"x".repeat(10_000)}`;
  const { page, complaints } = await open("about:blank");
  await page.route("**/api/status", async (route) => {
    const response = await route.fetch();
    const document = await response.json();
    const { primary } = document.databases;
    const endpoints = [{ name: evil, role: evil, state: evil, circuit_breaker: evil, pending: 1 }];
    document.databases = { [evil]: { ...primary, config: { ...primary.config, type: evil }, endpoints } };
    await route.fulfill({ response, json: document });
  });
  await page.goto(addressOf(host));
  await page.getByRole("cell", { name: "<img src=x onerror=alert(1)>" }).first().waitFor(SOON);
  expect(await page.locator("img").count()).toBe(0);
  expect(await page.locator("script").count()).toBe(1);
  const text = await page.locator("main").innerText();
  expect(text).not.toContain("\u202e");
  expect(text).toContain("{{7*7}}");
  expect(text.length).toBeLessThan(10_000);
  expect(await overflow(page)).toBe(0);
  // Whatever asks about:blank for nothing complains of nothing.
  expect(complaints.filter((line) => !line.startsWith("asked"))).toStrictEqual([]);
  const { headers } = await host.ask({ path: "/api/status" });
  expect(headers).toMatchObject({ "content-type": "application/json", "x-content-type-options": "nosniff" });
  await page.context().close();
}, 60_000);

/** The last one: from here on the databases are gone. */
test("HLT-29: the page shows the open circuit and the connections of a Worker whose database was killed", async () => {
  for (const host of hosts.all) {
    const { page, complaints } = await open(addressOf(host), "dark", 360);
    await page.getByText("Healthy", { exact: true }).waitFor(SOON);
    await signIn(page, TOKEN);
    await page.getByText("No alert fires.").waitFor(SOON);
    await host.proxy.set({ kind: "refuse" });
    // Each look of the page probes, and two failures open the circuit.
    const circuit = page.getByRole("region", { name: "Database primary" });
    await circuit.getByText("Open", { exact: true }).waitFor({ timeout: 40_000 });
    await expect.poll(() => circuit.innerText(), SOON).toMatch(/Open, \d+ failures, probes at \d/);
    expect(await page.getByText("Unhealthy", { exact: true }).count()).toBe(1);
    // The score may have been asked for before the circuit opened; the next look knows.
    await expect.poll(() => circuit.innerText(), SOON).toMatch(/circuit −40/);
    const connections = page.getByRole("region", { name: "Connections of primary" });
    expect(await connections.innerText()).toMatch(/Number\s+State\s+Used\s+Errors|There is none at the moment/);
    await page.getByText("circuitBreakerState of primary").waitFor({ timeout: 40_000 });
    expect(await violations(page), host.name).toStrictEqual([]);
    expect(await overflow(page)).toBe(0);
    expect(complaints).toStrictEqual([]);
    await page.screenshot({ path: `${PICTURES}open-${host.name}-dark-360.png`, fullPage: true });
    await page.context().close();
  }
}, 240_000);
