// The body of a request, up to a limit.

/** Most of a request's body, in bytes. */
const BODY_MAX = 65_536;

/** The body as text; undefined when it is longer than 64 KiB, and nothing more is read then. */
export async function bodyOf({ body }: Request): Promise<string | undefined> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let text = "";
  for (let read = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    read += value.byteLength;
    if (read > BODY_MAX) {
      reader.cancel().catch(() => {});
      return undefined;
    }
    text += decoder.decode(value, { stream: true });
  }
}
