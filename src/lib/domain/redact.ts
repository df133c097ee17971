/** Replaces a secret. */
const blank = "[redacted]";

// Repetitions are bounded, or anchored so that they match in linear time: a log may come from an attacker.
const patterns: readonly (readonly [RegExp, string])[] = [
  [
    /-----BEGIN [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----[\s\S]*?(?:-----END [A-Z ]{0,40}PRIVATE KEY[A-Z ]{0,40}-----|$)/g,
    blank,
  ],
  // The URL of a proxy or a mirror with a password: scheme://user:password@host
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

/** The secret values of an environment. Short ones are omitted, since they would match ordinary words. */
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
 * Redacts passwords in URLs, tokens, keys and the like. All text for the log, PID files and mail passes
 * through this function, which alone decides what a secret is.
 *
 * @param secrets texts known to be secret, redacted wherever they occur
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) clean = clean.replaceAll(secret, blank);
  for (const [pattern, replacement] of patterns)
    clean = clean.replace(pattern, replacement);
  return clean;
}
