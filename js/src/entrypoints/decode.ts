// Bytes from text.

type Decoders = {
  Uint8Array: { fromBase64?(text: string): Uint8Array<ArrayBuffer> };
  Buffer?: { from(text: string, encoding: "base64"): Uint8Array<ArrayBuffer> };
};

/** The runtime's own decoder where it has one: character by character takes longer than compiling the bytes. */
export function decode(base64: string, runtime: Decoders = globalThis as unknown as Decoders): Uint8Array<ArrayBuffer> {
  if (runtime.Uint8Array.fromBase64 !== undefined) return runtime.Uint8Array.fromBase64(base64);
  if (runtime.Buffer !== undefined) return runtime.Buffer.from(base64, "base64");
  const binary = atob(base64);
  const bytes = new Uint8Array(binary.length);
  for (let index = 0; index < binary.length; index += 1) bytes[index] = binary.charCodeAt(index);
  return bytes;
}
