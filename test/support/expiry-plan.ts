/**
 * What `expire --dry-run` says, without the folders in shared temporary places: a test that runs beside
 * this one, and kills its builder, leaves some there.
 */
export function ofThisState(plan: string): string {
  const lines = plan
    .split("\n")
    .filter(
      (line) => !/^remove \S*\/ubuntu-ci-(?:base|sbuild|handed)\./.test(line),
    );
  return lines.length === 0 ? "nothing to do" : lines.join("\n");
}
