/** Whether a name is valid for a PPA, whose folders bear it. `archive` is reserved for the archive. */
export function isPpaName(name: string): boolean {
  return name !== "archive" && /^[a-z0-9][a-z0-9+._-]{0,62}$/.test(name);
}

/** The name of a PPA made by `ppa populate`: PREFIX-001 and so on. */
export function pooledName(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(3, "0")}`;
}
