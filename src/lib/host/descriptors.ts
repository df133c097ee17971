import { closeSync, readdirSync, readFileSync } from "node:fs";

/** Node itself sets close-on-exec on inherited descriptors up to this one (uv_disable_stdio_inheritance). */
const markedByNode = 16;
const closeOnExec = 0o2000000;

/**
 * Closes the descriptors inherited from the caller, except standard input, output and error. Every
 * program started from here would inherit them, even root inside a session, which could escape through
 * the descriptor of a folder.
 */
export function closeInheritedDescriptors(): void {
  for (const number of readdirSync("/proc/self/fd")) {
    if (Number(number) <= markedByNode) continue;
    try {
      const info = readFileSync(`/proc/self/fdinfo/${number}`, "latin1");
      const flags = parseInt(/^flags:\s*([0-7]+)/m.exec(info)?.[1] ?? "", 8);
      // Node has close-on-exec set on all of its own descriptors.
      if ((flags & closeOnExec) === 0) closeSync(Number(number));
    } catch (thrown) {
      // The descriptor that /proc/self/fd was read with is listed, but closed by now.
      const { code } = thrown as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "EBADF") throw thrown;
    }
  }
}
