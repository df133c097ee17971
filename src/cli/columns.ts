import { oneLine } from "../lib/domain/shown-text.ts";

/** Formats rows as aligned columns; each row stays on one line whatever its cells contain. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(oneLine));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach(
      (cell, column) =>
        (widths[column] = Math.max(widths[column] ?? 0, cell.length)),
    );
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
