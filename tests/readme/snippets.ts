// The fenced blocks of a Markdown text.

/** One fenced block. */
export interface Snippet {
  /** What stands behind the opening fence. */
  language: string;
  text: string;
  /** Number of the line with the opening fence, from 1. */
  line: number;
}

/**
 * Every fenced block, in order.
 *
 * @throws When a block is not closed.
 */
export function snippetsOf(markdown: string): Snippet[] {
  const snippets: Snippet[] = [];
  let open: (Snippet & { lines: string[] }) | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    if (!line.trimStart().startsWith("```")) {
      open?.lines.push(line);
    } else if (open === undefined) {
      open = { language: line.trim().slice(3), text: "", line: index + 1, lines: [] };
    } else {
      snippets.push({ language: open.language, text: `${open.lines.join("\n")}\n`, line: open.line });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`the block that begins in line ${open.line} is not closed`);
  return snippets;
}

/** Names of the npm scripts that a text runs: `npm run demo`, `npm test`. */
export function scriptsNamed(text: string): string[] {
  return [...text.matchAll(/\bnpm (?:run ([\w:-]+)|(test|start))\b/g)].map(
    ([, name, short]) => (name ?? short) as string,
  );
}
