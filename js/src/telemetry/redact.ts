// What must not be told is taken out of what is: by the names of fields, and by the secrets that are known.

const REDACTED = "[redacted]";
/** Characters of a text, at most. */
export const TEXT_MAX = 1_000;
/** Characters of a text that are looked at. */
const READ_MAX = 8_192;
/** Shorter secrets are not looked for: they would be found everywhere. */
const SECRET_MIN = 4;
/** Secrets that are known at most; the oldest make room. */
const SECRETS_MAX = 50;
const DEPTH_MAX = 4;
const MEMBERS_MAX = 50;

/** Names of fields whose values are never told. */
const SECRET_NAME =
  /pass(?:word|wd|phrase)?$|secret|token|^auth$|authori[sz]ation|cookie|credential|api[_-]?key|private[_-]?key|encryption[_-]?key|signature|^session$|^dsn$|connection[_-]?string|^arg(?:s|uments)?$|^param(?:s|eters)?$|^binds?$|^values?$/i;
const USERINFO = /([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]*@/gi;
const PAIR =
  /\b((?:[a-z0-9_-]*(?:password|passwd|secret|token|api[_-]?key|authorization|credential)[a-z0-9_-]*)["']?\s*[=:]\s*["']?)(?!\[redacted\])[^\s"'&,;}]+/gi;
const SCHEME = /\b(bearer|basic)\s+[a-z0-9+/=._~-]+/gi;
const JWT = /\beyJ[\w-]+\.[\w-]+\.[\w-]*/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal.
const TERMINAL = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: as above.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g;

/** Takes secrets out of texts and values. */
export class Redactor {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;
  #longest = 0;

  constructor(secrets: Iterable<string | undefined> = []) {
    for (const secret of secrets) this.learn(secret);
  }

  /** Looks for this secret from now on, also in base64 and percent-encoded. Short texts are not secret enough. */
  learn(secret: string | undefined): void {
    if (secret === undefined || secret.length < SECRET_MIN || this.#secrets.has(secret)) return;
    if (this.#secrets.size >= SECRETS_MAX) this.#secrets.delete(this.#secrets.values().next().value as string);
    this.#secrets.add(secret);
    const forms = [...this.#secrets].flatMap(formsOf).sort((a, b) => b.length - a.length);
    this.#longest = forms[0]?.length ?? 0;
    this.#pattern = new RegExp([...new Set(forms)].map(literally).join("|"), "gi");
  }

  /** `text` in one line, without secrets and control characters, cut to `max` characters. */
  text(text: string, max = TEXT_MAX): string {
    const isCut = text.length > READ_MAX;
    let safe = isCut ? text.slice(0, READ_MAX) : text;
    safe = safe.replace(TERMINAL, "").replace(CONTROL, " ");
    if (this.#pattern !== undefined) safe = safe.replace(this.#pattern, REDACTED);
    safe = safe.replace(JWT, REDACTED).replace(USERINFO, `$1${REDACTED}@`).replace(SCHEME, `$1 ${REDACTED}`);
    safe = safe.replace(PAIR, `$1${REDACTED}`);
    // The end of what was read may hold the beginning of a secret.
    if (isCut) safe = safe.slice(0, Math.max(safe.length - this.#longest, 0));
    return safe.length > max || isCut ? `${wellFormed(safe.slice(0, max - 1))}…` : wellFormed(safe);
  }

  /** The value of a field of this name, safe to tell. Objects are copied, within bounds. */
  value(name: string, value: unknown, depth = 0): unknown {
    if (SECRET_NAME.test(name)) return REDACTED;
    if (typeof value === "string") return this.text(value);
    if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
    if (typeof value === "boolean" || value === null) return value;
    if (typeof value === "bigint") return value.toString();
    if (typeof value !== "object") return undefined;
    if (depth >= DEPTH_MAX) return REDACTED;
    if (value instanceof Error) return { name: this.text(value.name, 100), message: this.text(value.message) };
    if (Array.isArray(value)) return value.slice(0, MEMBERS_MAX).map((item) => this.value("", item, depth + 1));
    const safe: Record<string, unknown> = {};
    for (const [key, member] of Object.entries(value).slice(0, MEMBERS_MAX)) {
      safe[this.text(key, 100)] = this.value(key, member, depth + 1);
    }
    return safe;
  }
}

/** How a secret may be written. */
function formsOf(secret: string): string[] {
  const forms = [secret, encodeURIComponent(wellFormed(secret))];
  const bytes = new TextEncoder().encode(secret);
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  forms.push(base64.replace(/=+$/, ""), base64.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"));
  return forms.filter((form) => form.length >= SECRET_MIN);
}

function literally(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

/** Without halves of pairs, which no encoder takes. */
function wellFormed(text: string): string {
  return text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
}
