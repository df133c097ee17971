/** What stands where a secret was. */
const blank = "[redacted]";

// Repetitions are bounded, or anchored so that they match in linear time: a log may be hostile.
const patterns: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----|$)/g,
    blank,
  ],
  // A proxy or a mirror with a password: scheme://user:password@host
  [/(:\/\/)[^/\s@]+@/g, `$1${blank}@`],
  [/\b(authorization\s*[:=]\s*)(?:[a-z]+\s+)?\S+/gi, `$1${blank}`],
  [/\b(bearer|basic)\s+[a-z0-9._~+/=-]{8,}/gi, `$1 ${blank}`],
  [
    /(\b|_|-)(pass(?:word|wd|phrase)?|secret|token|api[_-]?key|access[_-]?key|credentials?)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi,
    `$1$2$3${blank}`,
  ],
];

/** Environment variables whose values are secrets. */
const secretName =
  /(?:^|_)(?:PASS(?:WORD|WD|PHRASE)?|SECRET|TOKEN|KEY|CREDENTIALS?)(?:_|$)/i;

/** The secret values of an environment. Short ones are left out: they would blank out ordinary words. */
export function secretsOf(
  env: Readonly<Record<string, string | undefined>>,
): string[] {
  return Object.entries(env).flatMap(([name, value]) =>
    secretName.test(name) && value !== undefined && value.length >= 6
      ? [value]
      : [],
  );
}

/**
 * Blanks out passwords in URLs, tokens, keys and the like. Whatever goes to the log, a PID file or a
 * mail goes through here, and nowhere else is this decided.
 *
 * @param secrets texts known to be secret, blanked out wherever they stand
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, blank);
  for (const [pattern, replacement] of patterns)
    clean = clean.replace(pattern, replacement);
  return clean;
}
