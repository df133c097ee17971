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

/** Whether an error says so: no such file, a path below a file, or a name that is too long to exist. */
function isMissing(thrown: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].some((code) =>
    hasCode(thrown, code),
  );
}

/** Whether something thrown is a system error with this code (errno(3)). */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}
