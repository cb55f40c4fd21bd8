// An application that knows its flags. It is compiled against what `flagTypes` wrote of flags.json, and never run.
import { createFlags, type FlagDocument, type TypedFlags } from "seawall/flags";
import { createFlags as createSnapshotFlags, type FlagSnapshot } from "seawall/flags/snapshot";
import { openFeatureProvider } from "seawall/openfeature";
import type { AppFlags } from "./app-flags.ts";

const flags: TypedFlags<AppFlags> = createFlags<AppFlags>({ definitions: {} as FlagDocument });
const user = flags.for({ targetingKey: "ada", plan: "pro" });

export const isNew: boolean = user.boolean("new-checkout");
export const isOld: boolean = user.boolean("new-checkout", true);
export const colour: "blue" | "green" | "grey" | "" = user.string("button");
export const other: "blue" | "green" | "grey" | "red" = user.string("button", "red");
export const limit: -5 | 0.5 | 0 = user.number("limit");
export const theme: string = user.json("theme", { colour: "#fff" })?.colour ?? "";
export const variant: "A" | "B" | "off" | undefined = user.stringDetails("button").variant;
export const detailed: -5 | 0.5 | 7 = user.numberDetails("limit", 7).value;
export const reason: string = user.booleanDetails("new-checkout").reason;
export const hostile: boolean = user.boolean('*/ "evil"');
export const all: "blue" | "green" | "grey" | undefined = user.all().button;
flags.kill(["button", "limit"]);
flags.kill(true);
flags.on("change", ({ revision }) => revision);
export const why: string | undefined = flags.explain("button", {})?.reason;
export const provider = openFeatureProvider(flags);

// @ts-expect-error: there is no such flag.
user.boolean("new-chekout");
// @ts-expect-error: it is text.
user.boolean("button");
// @ts-expect-error: it is boolean.
user.string("new-checkout");
// @ts-expect-error: it is text.
user.number("button");
// @ts-expect-error: it is a number.
user.json("limit", {});
// @ts-expect-error: it is JSON.
user.string("theme");
// @ts-expect-error: there is no such variant.
user.stringDetails("button").variant === "C";
// @ts-expect-error: the button is never red.
user.string("button") === "red";
// @ts-expect-error: a default is of the flag's kind.
user.string("button", 5);
// @ts-expect-error: a default is of the flag's kind.
user.boolean("new-checkout", "yes");
// @ts-expect-error: there is no such flag.
flags.kill(["buton"]);
// @ts-expect-error: there is no such flag.
flags.explain("buton", {});
// @ts-expect-error: this is no type of flags.
createFlags<{ button: string }>();

/** What a request has keeps a look alive. */
const request = { waitUntil: (work: Promise<unknown>) => void work.catch(() => {}) };
export const kept: boolean = flags.for({ targetingKey: "ada" }, request).boolean("new-checkout");
// @ts-expect-error: that keeps nothing alive.
flags.for({ targetingKey: "ada" }, "ctx");

const ofSnapshot = createSnapshotFlags<AppFlags>({ definitions: new Uint8Array() as FlagSnapshot });
export const same: "blue" | "green" | "grey" | "" = ofSnapshot.for({}).string("button");
export const always: boolean | undefined = ofSnapshot.constant("new-checkout");
export const alike = [openFeatureProvider(ofSnapshot), openFeatureProvider(createSnapshotFlags())];
// @ts-expect-error: it is text.
ofSnapshot.for({}).boolean("button");
// @ts-expect-error: there is no such flag.
ofSnapshot.kill(["buton"]);
// @ts-expect-error: it is text.
flags.constant("button");

/** An interface does as well, and so do flags without a type. */
interface Own {
  readonly dark: { readonly value: boolean; readonly variant: string };
}
export const isDark: boolean = createFlags<Own>().for({}).boolean("dark");
export const anything: string = createFlags().for({}).string("whatever");
