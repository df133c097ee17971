/** Longest line of a program's output that is kept, in UTF-16 units; the rest is cut off. */
export const lineLimit = 64 * 1024;

/** Cuts a line to the limit. */
export function cutLine(line: string): string {
  return line.length > lineLimit ? line.slice(0, lineLimit) : line;
}

/** The lines of a program's output, each cut to the limit. */
export function* outputLines(text: string): Generator<string> {
  for (let from = 0; from < text.length;) {
    const end = text.indexOf("\n", from);
    const to = end < 0 ? text.length : end;
    yield text.slice(from, Math.min(to, from + lineLimit));
    from = to + 1;
  }
}

/**
 * Splits a stream of text into lines. Of a line that is too long, only the beginning is kept in memory.
 */
export function splitLines(onLine: (line: string) => void): {
  push(text: string): void;
  /** Ends the stream; text after the last newline is a line as well. */
  end(): void;
} {
  let begun = "";
  return {
    push(text) {
      for (let from = 0; ;) {
        const end = text.indexOf("\n", from);
        const to = end < 0 ? text.length : end;
        begun += text.slice(
          from,
          Math.min(to, from + lineLimit - begun.length),
        );
        if (end < 0) return;
        onLine(begun);
        begun = "";
        from = end + 1;
      }
    },
    end() {
      if (begun !== "") onLine(begun);
      begun = "";
    },
  };
}
