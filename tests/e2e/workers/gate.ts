// Calls the Worker under test as a caller that leaves does: workerd then drops the request, and nobody runs `finally`.
import { env } from "cloudflare:workers";

export default {
  async fetch(request: Request): Promise<Response> {
    const leaving = new AbortController();
    setTimeout(() => leaving.abort(), Number(new URL(request.url).searchParams.get("leaveMs")));
    try {
      return await env.BEHIND.fetch(request.url, { signal: leaving.signal });
    } catch {
      return new Response("left", { status: 499 });
    }
  },
};
