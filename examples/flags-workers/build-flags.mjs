// Before each deployment: the document is checked, and becomes a snapshot, which loads in a fraction of the time, and a type.
import { readFileSync, writeFileSync } from "node:fs";
import { createFlags, flagTypes } from "seawall/flags";

const definitions = readFileSync(new URL("flags.json", import.meta.url), "utf8");
// A document with a fault ends the build here, with all that is wrong. What is set where this runs does not matter.
const flags = createFlags({ definitions, env: {} });

writeFileSync(new URL("src/flags.snapshot", import.meta.url), flags.snapshot());
writeFileSync(new URL("src/app-flags.ts", import.meta.url), flagTypes(definitions));
