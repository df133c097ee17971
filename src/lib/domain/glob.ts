/**
 * Whether a glob matches a name (fnmatch(3), * and ? only). Backtracks only to the last star, so the time
 * is at most the product of both lengths, never exponential.
 */
export function matchesGlob(glob: string, name: string): boolean {
  if (glob === "*") return true;
  let at = 0;
  let star = -1;
  let resume = 0;
  for (let index = 0; index < name.length;) {
    if (at < glob.length && glob[at] === "*") {
      star = at;
      resume = index;
      at += 1;
    } else if (
      at < glob.length &&
      (glob[at] === "?" || glob[at] === name[index])
    ) {
      at += 1;
      index += 1;
    } else if (star >= 0) {
      at = star + 1;
      resume += 1;
      index = resume;
    } else return false;
  }
  while (glob[at] === "*") at += 1;
  return at === glob.length;
}
