import type { AptRepository } from "../apt-repository.ts";

/**
 * A deb822 `.sources` stanza for a repository, with the signing key inline (sources.list(5), Signed-By;
 * apt 2.3.10 and later).
 *
 * @param uri where clients find the repository; default: its own address
 * @param types package types that the client wants (deb, deb-src)
 */
export function aptSource(
  repository: AptRepository,
  uri = repository.uri,
  types: "deb" | "deb deb-src" = "deb deb-src",
): string {
  const key = repository.signingKey
    .trimEnd()
    .split("\n")
    .map((line) => (line.trim() === "" ? " ." : ` ${line.trimEnd()}`));
  return [
    `Types: ${types}`,
    `URIs: ${uri}`,
    `Suites: ${repository.suite}`,
    `Components: ${repository.component}`,
    "Signed-By:",
    ...key,
    "",
  ].join("\n");
}
