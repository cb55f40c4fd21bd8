// Tables for people.

import { printable } from "./printable.ts";

/** A cell, and how it is coloured: colours take no room. */
export interface Cell {
  text: string;
  paint?: (text: string) => string;
}

/** Columns two spaces apart; numbers to the right. The first row is the head. */
export function table(rows: readonly (readonly (string | number | Cell)[])[]): string {
  const cells = rows.map((row) =>
    row.map((cell) => {
      const { text, paint = String } = typeof cell === "object" ? cell : { text: String(cell) };
      return { text: printable(text), paint, isNumber: typeof cell === "number" };
    }),
  );
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.text.length ?? 0)));
  const isRight = widths.map((_, column) => cells.slice(1).some((row) => row[column]?.isNumber));
  return cells
    .map((row) => {
      const line = row.map(({ text, paint }, column) => {
        const room = " ".repeat((widths[column] ?? 0) - text.length);
        return isRight[column] ? room + paint(text) : paint(text) + room;
      });
      return line.join("  ").trimEnd();
    })
    .join("\n");
}
