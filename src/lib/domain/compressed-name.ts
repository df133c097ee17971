const suffix = ".gz";

/** The name that a log has once it is compressed (gzip(1)). */
export function compressedName(log: string): string {
  return `${log}${suffix}`;
}

/** Whether a name is that of a compressed log. */
export function isCompressed(name: string): boolean {
  return name.endsWith(`.log${suffix}`);
}

/** The name of a log before it was compressed; any other name is returned unchanged. */
export function uncompressedName(name: string): string {
  return isCompressed(name) ? name.slice(0, -suffix.length) : name;
}
