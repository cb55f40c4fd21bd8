// What only Workers can import.

import * as workers from "cloudflare:workers";
import { lendWaitUntil } from "./platform.ts";

// Older runtimes have the module without this export; background writes then end with the request.
const { waitUntil } = workers as { waitUntil?(work: Promise<unknown>): void };

if (waitUntil !== undefined) {
  lendWaitUntil((work) => {
    try {
      waitUntil(work);
    } catch {
      // Outside of a request nothing can be kept alive, and a hint is not worth an error.
    }
  });
}
