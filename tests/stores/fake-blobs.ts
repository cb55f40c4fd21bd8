// Netlify Blobs as its documentation has it, behind the `fetch` that `getStore()` takes: the local server of the
// package gives no ETags to reads, and compares and writes in two steps.
import { createHash } from "node:crypto";

interface Blob {
  text: string;
  metadata: string | undefined;
  etag: string;
}

/** A `fetch` for `getStore({ fetch, edgeURL })`, with every store in one map. */
export function fakeBlobs(token: string): typeof fetch {
  const blobs = new Map<string, Blob>();
  let version = 0;

  const answer = async (request: Request): Promise<Response> => {
    if (request.headers.get("authorization") !== `Bearer ${token}`) return new Response(null, { status: 401 });
    const { pathname, searchParams } = new URL(request.url);
    // The wire carries the key as one encoded part, behind site and store.
    const [, , , ...rest] = pathname.split("/");
    const key = decodeURIComponent(rest.join("/"));
    const body = await request.text();
    // From here on nothing waits: a write is compared and made at once.
    if (request.method === "GET" && key === "") {
      const under = searchParams.get("prefix") ?? "";
      const found = [...blobs].filter(([name]) => name.startsWith(under));
      return Response.json({ blobs: found.map(([name, { etag }]) => ({ key: name, etag })), directories: [] });
    }
    const blob = blobs.get(key);
    if (request.method === "GET") {
      if (blob === undefined) return new Response(null, { status: 404 });
      const headers: Record<string, string> = { etag: blob.etag };
      if (blob.metadata !== undefined) headers["x-amz-meta-user"] = blob.metadata;
      return new Response(blob.text, { headers });
    }
    if (request.method !== "PUT") return new Response(null, { status: 405 });
    const ifMatch = request.headers.get("if-match");
    const isNewOnly = request.headers.get("if-none-match") === "*";
    if ((isNewOnly && blob !== undefined) || (ifMatch !== null && ifMatch !== blob?.etag)) {
      return new Response(null, { status: 412 });
    }
    version += 1;
    const etag = `"${createHash("sha256").update(`${version}`).digest("hex").slice(0, 32)}"`;
    blobs.set(key, { text: body, metadata: request.headers.get("x-amz-meta-user") ?? undefined, etag });
    return new Response(null, { status: 200, headers: { etag } });
  };
  return async (input, init) => answer(new Request(input as string, init));
}
