/** How long ago something was, in at most two units: "45 s", "12 min", "3 h 5 min", "2 d 4 h". */
export function ageInWords(since: string, at: number = Date.now()): string {
  const seconds = Math.max(0, Math.floor((at - Date.parse(since)) / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** Whether something is older than that many minutes. */
export function isOlderThan(
  since: string,
  minutes: number,
  at: number = Date.now(),
): boolean {
  return at - Date.parse(since) > minutes * 60_000;
}
