// Which flags another edition makes different: by what the two documents say, so rather one too many than one too few.

import type { FlagDocument } from "./definitions.ts";
import type { Edition } from "./engine.ts";

/** What is told of a change beside the edition. */
export interface Changed {
  /** Whether definitions were given; else it is about what is killed. */
  readonly hasNewDefinitions: boolean;
  /** The keys of all flags that may be different for somebody; not there where that cannot be known, as of a snapshot. */
  readonly flags?: readonly string[];
}

type Json = Record<string, unknown>;

/**
 * What holds, and the document that it is of, where that is known.
 *
 * @internal
 */
export interface Stand extends Edition {
  readonly document: FlagDocument | string | undefined;
}

/** @internal */
export function changed(before: Stand, after: Stand): Changed {
  // The same definitions, given once more, are confirmed by that.
  const hasNewDefinitions = before.snapshot !== after.snapshot || before.confirmedAt !== after.confirmedAt;
  const flags = before.variables === after.variables ? keysOf(before, after) : undefined;
  return flags === undefined ? { hasNewDefinitions } : { hasNewDefinitions, flags: [...flags].sort() };
}

function keysOf(before: Stand, after: Stand): Set<string> | undefined {
  if (before.document === undefined || after.document === undefined) return undefined;
  const [old, now] = [jsonOf(before.document), jsonOf(after.document)];
  const [oldFlags, nowFlags] = [membersOf(old, "flags"), membersOf(now, "flags")];
  const keys = new Set([...oldFlags.keys(), ...nowFlags.keys()]);
  const different = new Set<string>();
  const killed = (list: unknown, other: unknown) => {
    if (list === true && other !== true) for (const key of keys) different.add(key);
    if (!Array.isArray(list) || other === true) return;
    const others = new Set(Array.isArray(other) ? other : []);
    for (const key of list) if (!others.has(key)) different.add(key);
  };
  for (const [list, other] of [
    [before.kill, after.kill],
    [old.kill, now.kill],
  ]) {
    killed(list, other);
    killed(other, list);
  }
  for (const key of keys) if (oldFlags.get(key) !== nowFlags.get(key)) different.add(key);
  const [oldSegments, nowSegments] = [membersOf(old, "segments"), membersOf(now, "segments")];
  const segments = new Set([...nowSegments.keys()].filter((name) => oldSegments.get(name) !== nowSegments.get(name)));
  for (const [key, text] of nowFlags) if (mentions(text, segments)) different.add(key);
  // Who requires a flag depends on it, also by way of others.
  let count = -1;
  while (count !== different.size) {
    count = different.size;
    for (const [key, text] of nowFlags) if (requires(text, different)) different.add(key);
  }
  return different;
}

const jsonOf = (document: FlagDocument | string): Json =>
  typeof document === "string" ? (JSON.parse(document) as Json) : document;

/** The members of a member, as JSON. */
function membersOf(document: Json, name: string): Map<string, string> {
  const members = document[name];
  const isObject = typeof members === "object" && members !== null;
  return new Map(isObject ? Object.entries(members).map(([key, value]) => [key, JSON.stringify(value)]) : []);
}

const mentions = (text: string, segments: ReadonlySet<string>) => said(text, "segment", segments);
const requires = (text: string, flags: ReadonlySet<string>) => said(text, "flag", flags);

/** Whether a member of this name, wherever it is, has one of these values. */
function said(text: string, name: string, values: ReadonlySet<string>): boolean {
  if (values.size === 0 || !text.includes(`"${name}":`)) return false;
  let isSaid = false;
  JSON.parse(text, (member, value) => {
    if (member === name && typeof value === "string" && values.has(value)) isSaid = true;
    return value;
  });
  return isSaid;
}
