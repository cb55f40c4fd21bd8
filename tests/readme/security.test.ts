// The page about security: that it answers what it must, and that what it names is there.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createClient } from "seawall";
import { expect, test } from "vitest";
import { snippetsOf } from "./snippets.ts";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/security.md"), "utf8");
const sections = page.split(/^## /m).slice(1);
const section = (title: string) => sections.find((text) => text.startsWith(`${title}\n`)) ?? "";

/** The anchor that a heading gets. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w -]/g, "")
    .replaceAll(" ", "-");

test("SEC-10: the page tells threats, places, roles, how each secret is replaced, and whom to tell", () => {
  expect(sections.map((text) => text.split("\n")[0])).toEqual([
    "What is defended, against whom",
    "What is stored where",
    "Who may do what",
    "Tokens and keys: how to replace each",
    "Credentials in addresses",
    "What is never told",
    "Reporting",
  ]);
  for (const secret of ["TURSO_AUTH_TOKEN", "SEAWALL_ADMIN_TOKEN", "rotateKeys()", "webhooks"]) {
    expect(section("Tokens and keys: how to replace each")).toContain(secret);
  }
});

test("SEC-10: every page, heading and file that it names is there", () => {
  const links = [...page.matchAll(/\]\(([^)#]*)(?:#([^)]+))?\)/g)];
  expect(links.length).toBeGreaterThan(4);
  for (const [, file, anchor] of links) {
    const text = file === "" ? page : readFileSync(join(ROOT, "docs", file as string), "utf8");
    const anchors = [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading as string));
    if (anchor !== undefined) expect(anchors, `${file}#${anchor}`).toContain(anchor);
  }
  const files = [...page.matchAll(/`((?:js|tests)\/[\w/.-]+)`/g)].map(([, file]) => file as string);
  expect(files.length).toBeGreaterThan(1);
  for (const file of files) expect(existsSync(join(ROOT, file)), file).toBe(true);
});

test("SEC-10: every secret that a variable holds is listed as never shown", () => {
  const rows = readFileSync(join(ROOT, "docs/config.md"), "utf8").split("\n");
  for (const name of ["TURSO_AUTH_TOKEN", "DATABASE_URL", "SEAWALL_CRYPTO_KEY", "PG_META_CRYPTO_KEY"]) {
    expect(
      rows.find((row) => row.startsWith(`| \`${name}\``)),
      name,
    ).toMatch(/never shown/i);
  }
});

test("SEC-10: what its example calls is there", () => {
  const [example] = snippetsOf(page).filter(({ language }) => language === "ts");
  expect(example?.text).toContain("db.seawall.rotateAuthToken(token)");
  const client = createClient({ url: "https://db.example.com", authToken: "one" });
  expect(() => client.seawall.rotateAuthToken("two")).not.toThrow();
  client.close();
  expect(readdirSync(join(ROOT, "docs"))).toContain("records.md");
});
