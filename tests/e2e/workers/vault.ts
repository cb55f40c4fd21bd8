// What is behind the deployable Worker, as somebody sees it who stands past the routes: its strong store, which can be looked
// into, changed and made to fail, and its read cache, which may refuse everything or remember that nothing was there.
import { DurableObject, env, WorkerEntrypoint } from "cloudflare:workers";
import { Cache } from "./cache.ts";

const ANYWHERE = "https://seawall.invalid/";
/** Longer than anybody waits. */
const HANGS_MS = 20_000;

const cache = new Cache();

/** What is bound as the read cache. */
export class Kv extends WorkerEntrypoint {
  get(key: string): string | null {
    return cache.get(key);
  }
  put(key: string, text: string): void {
    cache.put(key, text);
  }
}

/** Asks the real one, unless it is told to fail. */
export class FaultyStore extends DurableObject {
  #failing: { fault: string; asks: string[]; times: number } = { fault: "", asks: [], times: 0 };

  async fetch(request: Request): Promise<Response> {
    const body = await request.text();
    if (new URL(request.url).pathname === "/fail") {
      this.#failing = JSON.parse(body);
      return new Response();
    }
    const { fault, asks, times } = this.#failing;
    if (times === 0 || !asks.includes(JSON.parse(body).ask)) return real(body);
    this.#failing.times -= 1;
    if (fault === "lost") await real(body);
    if (fault === "hangs") await new Promise((resolve) => setTimeout(resolve, HANGS_MS));
    if (fault === "refused") return new Response("Too Many Requests", { status: 429 });
    throw new Error("Network connection lost.");
  }
}

function real(body: string): Promise<Response> {
  return env.REAL.get(env.REAL.idFromName("seawall")).fetch(ANYWHERE, { method: "POST", body });
}

export default {
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url);
    const body = await request.text();
    switch (pathname) {
      case "/fail":
        return env.FAULTY.get(env.FAULTY.idFromName("seawall")).fetch(`${ANYWHERE}fail`, { method: "POST", body });
      case "/cache":
        cache.become(JSON.parse(body));
        return new Response();
      default:
        return real(body);
    }
  },
};
