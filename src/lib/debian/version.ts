/** The parts of a Debian version (deb-version(7)). */
export interface Version {
  readonly epoch: number;
  readonly upstream: string;
  readonly revision: string;
}

/** Why a version is invalid, or undefined, by dpkg's rules (lib/dpkg/parsehelp.c). */
export function versionProblem(text: string): string | undefined {
  if (text === "") return "is empty";
  if (/\s/.test(text)) return "has embedded spaces";
  const colon = text.indexOf(":");
  let rest = text;
  if (colon >= 0) {
    const epoch = text.slice(0, colon);
    rest = text.slice(colon + 1);
    if (epoch === "") return "has an empty epoch";
    if (!/^[0-9]+$/.test(epoch)) return "has an epoch that is not a number";
    if (Number(epoch) > 0x7fffffff) return "has an epoch that is too big";
    if (rest === "") return "has nothing after the epoch's colon";
  }
  const dash = rest.lastIndexOf("-");
  const upstream = dash < 0 ? rest : rest.slice(0, dash);
  if (dash >= 0 && dash === rest.length - 1) return "has an empty revision";
  if (upstream === "") return "has an empty upstream part";
  if (!/^[0-9]/.test(upstream)) return "does not start with a digit";
  if (!/^[0-9A-Za-z.+\-:~]+$/.test(upstream))
    return "has an invalid character in the upstream part";
  if (dash >= 0 && !/^[0-9A-Za-z.+~]+$/.test(rest.slice(dash + 1)))
    return "has an invalid character in the revision";
  return undefined;
}

/** Splits a valid version into its parts. */
export function parseVersion(text: string): Version {
  const colon = text.indexOf(":");
  const rest = text.slice(colon + 1);
  const dash = rest.lastIndexOf("-");
  return {
    epoch: colon < 0 ? 0 : Number(text.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? "" : rest.slice(dash + 1),
  };
}

/** Negative when a is below b, 0 when they are equal, positive when a is above b. */
export function compareVersions(a: string, b: string): number {
  const left = parseVersion(a);
  const right = parseVersion(b);
  return (
    left.epoch - right.epoch ||
    compareParts(left.upstream, right.upstream) ||
    compareParts(left.revision, right.revision)
  );
}

/** A version without its epoch, as in file names. */
export function withoutEpoch(version: string): string {
  return version.slice(version.indexOf(":") + 1);
}

/** Sort weight of a character in a run of non-digits: `~` before the end, letters before all others. */
function order(code: number): number {
  if (Number.isNaN(code) || isDigit(code)) return 0;
  if (code === 0x7e) return -1;
  const letter =
    (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
  return letter ? code : code + 256;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** The algorithm of deb-version(7): compares runs of non-digits and of digits in turn. */
function compareParts(a: string, b: string): number {
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    while (
      (i < a.length && !isDigit(a.charCodeAt(i))) ||
      (j < b.length && !isDigit(b.charCodeAt(j)))
    ) {
      const difference = order(a.charCodeAt(i)) - order(b.charCodeAt(j));
      if (difference !== 0) return difference;
      i += 1;
      j += 1;
    }
    while (a[i] === "0") i += 1;
    while (b[j] === "0") j += 1;
    let first = 0;
    while (isDigit(a.charCodeAt(i)) && isDigit(b.charCodeAt(j))) {
      if (first === 0) first = a.charCodeAt(i) - b.charCodeAt(j);
      i += 1;
      j += 1;
    }
    if (isDigit(a.charCodeAt(i))) return 1;
    if (isDigit(b.charCodeAt(j))) return -1;
    if (first !== 0) return first;
  }
  return 0;
}
