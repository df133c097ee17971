import { lstatSync } from "node:fs";

/** The result of a file operation, or undefined when the file does not exist; other errors are thrown. */
export async function ifExists<T>(
  operation: Promise<T>,
): Promise<T | undefined> {
  try {
    return await operation;
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** {@link ifExists} for a synchronous operation. */
export function ifExistsSync<T>(operate: () => T): T | undefined {
  try {
    return operate();
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/**
 * Whether there is a file, folder or link of that name.
 *
 * @throws the system's error when that cannot be found out, as in a folder that may not be searched
 */
export function isThere(path: string): boolean {
  return ifExistsSync(() => lstatSync(path)) !== undefined;
}

/** Error codes for: no such file, a path below a file, an impossible name. */
function isMissing(thrown: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].some((code) =>
    hasCode(thrown, code),
  );
}

/** Whether something thrown is a system error with this code (errno(3)). */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}
