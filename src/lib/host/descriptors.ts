import { closeSync, readdirSync, readFileSync } from "node:fs";

/** Node marks the first of those that it is started with itself, up to here (uv_disable_stdio_inheritance). */
const markedByNode = 16;
const closeOnExec = 0o2000000;

/**
 * Closes what the caller had open beside standard input, output and error: every program that we
 * start would have it too, a session's root included, and could leave its place by a folder's.
 */
export function closeInheritedDescriptors(): void {
  for (const number of readdirSync("/proc/self/fd")) {
    if (Number(number) <= markedByNode) continue;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${number}`, "latin1");
      const flags = parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "", 8);
      // Node's own all have the flag.
      if ((flags & closeOnExec) === 0) closeSync(Number(number));
    } catch (thrown) {
      // Reading the folder has a descriptor itself, which is closed by now.
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "EBADF") throw thrown;
    }
  }
}
