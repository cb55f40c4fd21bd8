// Requests to others, of whose answers nothing but the head is read.
import type { Answer, Outgoing } from "./exchange.ts";

/** Sends a request to somebody else. Redirects are not followed. Never rejects. */
export async function fetched({ url, method, headers, body, timeoutMs }: Outgoing): Promise<Answer> {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    const { signal } = controller;
    const init: RequestInit = { method, headers, body: body === "" ? null : body, redirect: "manual", signal };
    const response = await fetch(url, init);
    // Whoever answers may go on for ever: nobody listens.
    response.body?.cancel().catch(() => {});
    return { fetched: { status: response.status, retryAfter: response.headers.get("retry-after") } };
  } catch {
    const isLate = controller.signal.aborted;
    return { failed: isLate ? `It did not answer within ${timeoutMs} ms.` : "It could not be reached." };
  } finally {
    clearTimeout(timer);
  }
}
