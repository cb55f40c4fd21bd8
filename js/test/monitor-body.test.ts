// Bodies of requests: read up to a bound, and no further.
import { expect, test } from "vitest";
import { bodyOf as bodyUpTo } from "../src/monitor/body.ts";

const bodyOf = (request: Request) => bodyUpTo(request, 65_536);

const LIMIT = 65_536;

function request(body: BodyInit | ReadableStream<Uint8Array>, headers: Record<string, string> = {}): Request {
  return new Request("https://example.com/", { method: "PUT", body, headers, duplex: "half" } as RequestInit);
}

/** A stream of chunks; `pulled` counts their bytes, and `isCancelled` tells whether somebody gave up. */
function chunks(next: () => Uint8Array | undefined) {
  const seen = { pulled: 0, isCancelled: false };
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = next();
        if (chunk === undefined) return controller.close();
        seen.pulled += chunk.byteLength;
        controller.enqueue(chunk);
      },
      cancel() {
        seen.isCancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { stream, seen };
}

test("a body up to the limit is read, whatever its chunks cut through", async () => {
  expect(await bodyOf(new Request("https://example.com/"))).toEqual({ body: "" });
  expect(await bodyOf(request(""))).toEqual({ body: "" });
  const text = `{"ünï ☃": "🌊"}`;
  const bytes = [...new TextEncoder().encode(text)];
  const { stream } = chunks(() => (bytes.length === 0 ? undefined : new Uint8Array([bytes.shift() as number])));
  expect(await bodyOf(request(stream))).toEqual({ body: text });
  expect((await bodyOf(request("a".repeat(LIMIT)))).body).toHaveLength(LIMIT);
});

test("H058: a body without an end is read to the limit and one chunk, and given up then", async () => {
  const { stream, seen } = chunks(() => new Uint8Array(10_000).fill(97));
  expect(await bodyOf(request(stream))).toEqual({ body: "", bodyProblem: "tooLong" });
  expect(seen.pulled).toBeLessThanOrEqual(LIMIT + 10_000);
  expect(seen.isCancelled).toBe(true);
});

test("H058: one byte too many is too many, and one that says so is not read at all", async () => {
  expect(await bodyOf(request("a".repeat(LIMIT + 1)))).toEqual({ body: "", bodyProblem: "tooLong" });
  const { stream, seen } = chunks(() => new Uint8Array(10));
  expect(await bodyOf(request(stream, { "content-length": "1000000" }))).toEqual({ body: "", bodyProblem: "tooLong" });
  expect(seen).toEqual({ pulled: 0, isCancelled: true });
  const lying = chunks(() => new Uint8Array(10_000).fill(97));
  expect((await bodyOf(request(lying.stream, { "content-length": "10" }))).bodyProblem).toBe("tooLong");
});

test("what is no UTF-8, was cut off, or was read by somebody else is told apart", async () => {
  expect(await bodyOf(request(new Uint8Array([0xff])))).toEqual({ body: "", bodyProblem: "notText" });
  expect(await bodyOf(request(new Uint8Array([0xf0, 0x9f])))).toEqual({ body: "", bodyProblem: "notText" });
  const cut = new ReadableStream({ pull: (controller) => controller.error(new Error("cut off")) });
  expect(await bodyOf(request(cut))).toEqual({ body: "", bodyProblem: "unread" });
  const read = request("text");
  read.body?.getReader();
  expect(await bodyOf(read)).toEqual({ body: "", bodyProblem: "unread" });
});

test("a byte order mark stays, so that it is refused as no JSON", async () => {
  expect(await bodyOf(request("\ufeff{}"))).toEqual({ body: "\ufeff{}" });
});
