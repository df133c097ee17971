import { closeSync, readdirSync, readFileSync } from "node:fs";

/** Node marks the descriptors below this number as close-on-exec itself (uv_disable_stdio_inheritance). */
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
      // Node's own descriptors are all marked close-on-exec.
      if ((flags & closeOnExec) === 0) closeSync(Number(number));
    } catch (thrown) {
      // The descriptor that the folder was read with is in the list, and closed by now.
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "EBADF") throw thrown;
    }
  }
}
