// An index of the log as text that may travel through cookies, headers and queues: `1.<database>.<index>.<check>`.
//
// It holds no secret and proves nothing: whoever changes it, or makes one up, can make their own reads wait for
// `waitTimeout` and nothing else. The check is there to tell a cut or mixed-up token from a good one.
import { makeError } from "../errors.ts";
import { indexOf, type LogIndex } from "./log-index.ts";

const VERSION = "1";
/** Longer texts are refused unread, in characters. */
const LENGTH_MAX = 64;

/** A short name for a database, the same in every isolate. */
export function fingerprintOf(database: string): string {
  return fnv1a(database).toString(36);
}

/** The token for `index` in the log of the database with that fingerprint. */
export function tokenOf(fingerprint: string, index: LogIndex): string {
  const body = `${VERSION}.${fingerprint}.${index}`;
  return `${body}.${fnv1a(body).toString(36)}`;
}

/**
 * The index that a token names; none for no token: `undefined`, `null` and `""`, as a missing cookie is read.
 *
 * @throws {@link ResilienceError} `CONSISTENCY_TOKEN_INVALID` for anything else that is no token of this database.
 */
export function indexOfToken(token: unknown, fingerprint: string): LogIndex {
  if (token === undefined || token === null || token === "") return "";
  if (typeof token !== "string") throw invalid(`it is of type ${typeof token}, not text`);
  if (token.length > LENGTH_MAX) throw invalid(`it has ${token.length} characters, more than ${LENGTH_MAX}`);
  const [version, database, text, check, ...rest] = token.split(".");
  if (check === undefined || rest.length > 0) throw invalid("it does not have four parts");
  const index = indexOf(text);
  if (fnv1a(`${version}.${database}.${text}`).toString(36) !== check) throw invalid("it was cut or changed on its way");
  if (version !== VERSION) throw invalid("another version of this package made it");
  if (index === "") throw invalid("it names no index in a log");
  if (database !== fingerprint) {
    throw invalid(
      "it belongs to another database. If both addresses lead to one database, give consistency.database the same name on both",
    );
  }
  return index;
}

function invalid(why: string) {
  return makeError(
    "CONSISTENCY_TOKEN_INVALID",
    `The consistency token cannot be used: ${why}. Drop it and go on without one; nothing was sent.`,
    { origin: "caller", retry: "never", outcome: "not_executed" },
  );
}

/** FNV-1a over UTF-16 units, 32 bits. http://www.isthe.com/chongo/tech/comp/fnv/ */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}
