/** What an operation on a file or a folder comes to, or undefined where there is none; it fails for any other reason. */
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

/** The same for one that is not waited for. */
export function ifExistsSync<T>(operate: () => T): T | undefined {
  try {
    return operate();
  } catch (thrown) {
    if (isMissing(thrown)) return undefined;
    throw thrown;
  }
}

/** Nothing there, nothing there below a file, or a name that nothing can have. */
function isMissing(thrown: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ENAMETOOLONG"].some((code) =>
    hasCode(thrown, code),
  );
}

/** Whether that is an error of the system with this code (errno(3)). */
export function hasCode(thrown: unknown, code: string): boolean {
  return thrown instanceof Error && "code" in thrown && thrown.code === code;
}
