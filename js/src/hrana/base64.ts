// Base64 without assuming a runtime: the built-in of newer engines, Node's Buffer where it is, `atob` elsewhere.

interface Base64Engine {
  fromBase64?(text: string): Uint8Array<ArrayBuffer>;
}

interface BufferEngine {
  from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer>;
  from(buffer: ArrayBufferLike, offset: number, length: number): { toString(encoding: "base64"): string };
}

const fromBase64 = (Uint8Array as Base64Engine).fromBase64;
const buffers = (globalThis as { Buffer?: BufferEngine }).Buffer;

/**
 * Bytes of standard base64, padded or not.
 *
 * @throws When the text is not base64; Node's Buffer skips foreign characters instead.
 */
export function bytesOfBase64(text: string): ArrayBuffer {
  if (fromBase64 !== undefined) return fromBase64.call(Uint8Array, text).buffer;
  if (buffers !== undefined) {
    const { buffer, byteOffset, byteLength } = buffers.from(text, "base64");
    return buffer.slice(byteOffset, byteOffset + byteLength);
  }
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes.buffer;
}

const CHUNK = 0x8000;

/** Standard base64 with padding. */
export function base64OfBytes(bytes: Uint8Array): string {
  const engine = bytes as { toBase64?(): string };
  if (engine.toBase64 !== undefined) return engine.toBase64();
  if (buffers !== undefined) {
    return buffers.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
  }
  let binary = "";
  for (let i = 0; i < bytes.length; i += CHUNK) binary += String.fromCharCode(...bytes.subarray(i, i + CHUNK));
  return btoa(binary);
}
