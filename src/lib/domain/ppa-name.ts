/** Whether a PPA may be called that: it is the name of folders. `archive` is that of the archive. */
export function isPpaName(name: string): boolean {
  return name !== "archive" && /^[a-z0-9][a-z0-9+._-]{0,62}$/.test(name);
}

/** The name of a PPA that the pool is filled with: PREFIX-001 and so on. */
export function pooledName(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(3, "0")}`;
}
