// Who caused an operation, as W3C Trace Context has it: `traceparent` and `tracestate`, read strictly and written anew.
//
// Twin of src/telemetry/trace_context.rs; tests/conformance/trace-context.json holds both to the same answers. What is
// not valid is not repeated: without a valid `traceparent` a new trace begins, and its `tracestate` is dropped with it.

/** A place in a trace. */
export interface TraceContext {
  /** 32 hexadecimal digits, not all zero. */
  readonly traceId: string;
  /** 16 hexadecimal digits, not all zero. */
  readonly spanId: string;
  /** Whether whoever began the trace records it. */
  readonly isSampled: boolean;
  /** What other systems have to say of it; empty for nothing. At most 512 characters. */
  readonly state: string;
}

/** Headers, as requests have them. */
export type HeaderCarrier =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>;

/** What an operation may be told of the trace that it belongs to: a request's headers, or the text of `traceparent`. */
export type TraceCarrier = TraceContext | HeaderCarrier | string;

/** `00-<trace>-<span>-<flags>`. */
const LENGTH = 55;
const PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
const MEMBERS_MAX = 32;
/** What everybody must hand on. */
const STATE_MAX = 512;
/** Members that are longer are the first to go. */
const MEMBER_MAX = 128;
const KEY = /^(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})$/;
/** Printable characters but comma and equals sign, and no space at the end. */
const VALUE = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/** Reads both headers; undefined when `traceparent` is missing or not valid. */
export function parseTraceContext(traceparent: string, tracestate = ""): TraceContext | undefined {
  const text = traceparent.replace(/^[\t ]+|[\t ]+$/g, "");
  if (text.length > LENGTH && text[LENGTH] !== "-") return undefined;
  const [, version, traceId, spanId, flags] = PARENT.exec(text.slice(0, LENGTH)) ?? [];
  if (version === undefined || traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  // Later versions may add to the end; of this one there is nothing to add.
  if (version === "ff" || (version === "00" && text.length > LENGTH)) return undefined;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1, state: parseState(tracestate) };
}

/** `traceparent` of a place in a trace. */
export function traceparentOf({ traceId, spanId, isSampled }: TraceContext): string {
  return `00-${traceId}-${spanId}-${isSampled ? "01" : "00"}`;
}

/** The place that headers, a text or an earlier answer of this function tell; undefined when they tell none. */
export function traceContextOf(carrier: TraceCarrier | undefined): TraceContext | undefined {
  if (carrier === undefined || carrier === null) return undefined;
  if (typeof carrier === "string") return parseTraceContext(carrier);
  if (typeof carrier !== "object") return undefined;
  const { traceId, spanId } = carrier as Partial<TraceContext>;
  if (typeof traceId === "string" && typeof spanId === "string") {
    const { isSampled, state } = carrier as Partial<TraceContext>;
    const text = traceparentOf({ traceId, spanId, isSampled: isSampled !== false, state: "" });
    return parseTraceContext(text, typeof state === "string" ? state : "");
  }
  return parseTraceContext(
    headerOf(carrier as HeaderCarrier, "traceparent"),
    headerOf(carrier as HeaderCarrier, "tracestate"),
  );
}

function headerOf(carrier: HeaderCarrier, name: string): string {
  const { get } = carrier as { get?: unknown };
  const value: unknown =
    typeof get === "function"
      ? (carrier as { get(name: string): string | null }).get(name)
      : (carrier as Record<string, unknown>)[name];
  // Two headers of one name: as one text they are what no `traceparent` is.
  return Array.isArray(value) ? value.join(",") : typeof value === "string" ? value : "";
}

/** The members that may be handed on; empty when one of them is not valid. */
function parseState(text: string): string {
  const members: string[] = [];
  const keys = new Set<string>();
  for (const given of text.split(",", MEMBERS_MAX * 2)) {
    const member = given.replace(/^[\t ]+|[\t ]+$/g, "");
    if (member === "") continue;
    if (members.length === MEMBERS_MAX) break;
    const equals = member.indexOf("=");
    const key = member.slice(0, Math.max(equals, 0));
    if (!KEY.test(key) || !VALUE.test(member.slice(equals + 1)) || keys.has(key)) return "";
    keys.add(key);
    members.push(member);
  }
  let length = members.reduce((sum, member) => sum + member.length + 1, -1);
  for (let at = members.length - 1; at >= 0 && length > STATE_MAX; at -= 1) {
    const member = members[at] as string;
    if (member.length <= MEMBER_MAX) continue;
    length -= member.length + 1;
    members.splice(at, 1);
  }
  while (length > STATE_MAX) length -= (members.pop() as string).length + 1;
  return members.join(",");
}
