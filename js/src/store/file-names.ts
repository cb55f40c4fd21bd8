// Which files a store in a folder has, and what of them may be missing.

import { createHash } from "node:crypto";
import { kindOf } from "./checks.ts";

/** @throws TypeError when `folder` is no path. */
export function demandFolder(folder: unknown, caller: string): void {
  if (typeof folder !== "string" || folder === "") {
    throw new TypeError(`${caller} needs the path of a folder; it got ${kindOf(folder)}.`);
  }
}

/** Names are hashes: keys hold characters that file systems do not take, and some of those ignore case. */
export function nameOf(key: string, end: string): string {
  return `${createHash("sha256").update(key).digest("hex").slice(0, 40)}${end}`;
}

/** For what may be missing. @throws Anything else. */
export function nothing(error: { code?: string }): null {
  if (error.code === "ENOENT" || error.code === "EEXIST") return null;
  throw error;
}
