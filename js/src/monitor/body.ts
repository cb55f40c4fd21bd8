// Reads the body of a request, or of a response, up to a bound, so that one without an end costs no more than one at the bound.

/** A body as the routes see it: its text, or why there is none. */
export interface Body {
  body: string;
  bodyProblem?: "tooLong" | "notText" | "unread";
}

/** Reads the body of a request, or of a response, of at most `max` bytes. Never rejects, and never holds more than the bound and one chunk. */
export async function bodyOf(request: Request | Response, max: number): Promise<Body> {
  if (request.body === null) return { body: "" };
  if (Number(request.headers.get("content-length") ?? 0) > max) {
    await request.body.cancel().catch(() => {});
    return { body: "", bodyProblem: "tooLong" };
  }
  let reader: ReadableStreamDefaultReader<Uint8Array>;
  try {
    reader = request.body.getReader();
  } catch {
    // Somebody has begun to read it.
    return { body: "", bodyProblem: "unread" };
  }
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  let body = "";
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { body: body + decoded(decoder, undefined) };
      bytes += value.byteLength;
      if (bytes > max) return { body: "", bodyProblem: "tooLong" };
      body += decoded(decoder, value);
    }
  } catch (error) {
    return { body: "", bodyProblem: error === NOT_TEXT ? "notText" : "unread" };
  } finally {
    // What is still to come is not waited for.
    reader.cancel().catch(() => {});
  }
}

const NOT_TEXT = new Error("not UTF-8");

function decoded(decoder: TextDecoder, chunk: Uint8Array | undefined): string {
  try {
    return chunk === undefined ? decoder.decode() : decoder.decode(chunk, { stream: true });
  } catch {
    throw NOT_TEXT;
  }
}
