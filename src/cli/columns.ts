import { oneLine } from "../lib/domain/shown-text.ts";

/**
 * Formats rows as aligned columns; each row begins a line whatever its cells contain. A column without
 * any text takes no room.
 *
 * @param width columns that a line may have; a longer row goes on below, indented
 */
export function table(
  cells: readonly (readonly string[])[],
  width = Infinity,
): string {
  const rows = cells.map((row) => row.map(oneLine));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach(
      (cell, column) =>
        (widths[column] = Math.max(widths[column] ?? 0, cell.length)),
    );
  return rows
    .flatMap((row) =>
      wrapped(
        row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .filter((_cell, column) => widths[column] !== 0)
          .join("  ")
          .trimEnd(),
        width,
        "    ",
      ),
    )
    .join("\n");
}

/** A line in lines of at most that width, broken between words; those after the first are indented. */
export function wrapped(
  line: string,
  width: number,
  indent: string,
): readonly string[] {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    // Not in the indentation; a word that is longer than a line stays whole.
    const first = rest.search(/\S/);
    const before = rest.lastIndexOf(" ", width);
    const at = before > first ? before : rest.indexOf(" ", Math.max(first, 0));
    if (at < 0) break;
    lines.push(rest.slice(0, at).trimEnd());
    rest = indent + rest.slice(at).trimStart();
  }
  return [...lines, rest];
}
