// Texts of others on a terminal: they are shown, and do nothing there.

/** What moves cursors, rings, recolours or turns the direction of a line: controls, bidirectional marks, line separators. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is looked for
const ACTIVE = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
const LENGTH_MAX = 500;

/** One line of text that a terminal shows as it is, at most 500 characters. */
export function printable(text: unknown): string {
  const whole = String(text);
  const cut = whole.length > LENGTH_MAX ? `${whole.slice(0, LENGTH_MAX)}…` : whole;
  return cut.replace(ACTIVE, escaped);
}

/** JSON of which the same is true. Line feeds and spaces between its parts stay. */
export function printableJson(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).replace(ACTIVE, (sign) => (sign === "\n" ? sign : escaped(sign)));
}

function escaped(sign: string): string {
  return `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
