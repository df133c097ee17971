import { readFile } from "node:fs/promises";

import type { Outlook, Publication } from "../backends/archive/archive.ts";
import type {
  Distribution,
  DistributionPackage,
} from "../backends/distribution/distribution.ts";
import { brokenBetween, namesNeeded } from "../debian/broken.ts";
import { parseDsc } from "../debian/dsc.ts";
import { compareVersions } from "../debian/version.ts";
import { needsApproval } from "../domain/error.ts";
import { allowingThat, isAllowed } from "../domain/override.ts";
import type { StepBackends, StepInput } from "./step-definition.ts";

/** A source package that is to be published, and what its .dsc says that it builds. */
interface Coming {
  readonly source: string;
  readonly version: string;
  readonly builds: readonly string[];
}

/**
 * Sees whether somebody has to allow what the ticket's packages would do to those of the archive and of
 * the distribution: before the build, as far as their .dsc tells, and again before publication, since
 * both may have changed.
 *
 * @throws UbuntuCiError (2) that sets the ticket aside
 */
export async function checkApprovals(
  { ticket, sources }: StepInput,
  backends: StepBackends,
): Promise<void> {
  const coming = await Promise.all(
    sources.map(async ({ source, version, dsc }): Promise<Coming> => {
      const { builds } = parseDsc(await readFile(dsc), dsc);
      return { source, version, builds };
    }),
  );
  const distribution = await backends.distribution();
  const theirs = await distribution.find(
    ticket.series,
    new Set(coming.flatMap(({ source, builds }) => [source, ...builds])),
  );
  const older = belowDistribution(coming, theirs);
  if (older !== undefined && !isAllowed(ticket.overrides, "older"))
    throw needsApproval(older, allowingThat(ticket, "older"));
  const { publications } = await (await backends.archive()).current();
  const taken = takenOver(
    coming,
    publications[ticket.series] ?? [],
    theirs,
  ).filter(({ name }) => !isAllowed(ticket.overrides, "takeover", name));
  const [first] = taken;
  if (first !== undefined)
    throw needsApproval(
      taken.map(({ words }) => words).join("; "),
      allowingThat(ticket, "takeover", first.name),
    );
}

/**
 * Sees whether somebody has to allow that packages of the archive become uninstallable or unbuildable.
 *
 * @throws UbuntuCiError (2) that names them and sets the ticket aside
 */
export async function checkBreaks(
  { ticket, architecture }: StepInput,
  backends: StepBackends,
  { before, after }: Outlook,
): Promise<void> {
  if (isAllowed(ticket.overrides, "breaks")) return;
  const words = await packagesBroken(
    await backends.distribution(),
    ticket.series,
    architecture,
    { before, after },
  );
  if (words.length === 0) return;
  throw needsApproval(
    `it would make packages of the archive unusable: ${words.join(", ")}`,
    allowingThat(ticket, "breaks"),
  );
}

/** The packages of a series that could be used before and cannot after, in words. */
export async function packagesBroken(
  distribution: Distribution,
  series: string,
  architecture: string,
  { before, after }: Outlook,
): Promise<string[]> {
  const theirs = await distribution.find(
    series,
    // Most packages are in both.
    namesNeeded([...new Set([...before, ...after])], architecture),
  );
  return brokenBetween(before, after, theirs, architecture).map(
    ({ kind, name, version }) =>
      `${name} ${version} ${kind === "source" ? "unbuildable" : "uninstallable"}`,
  );
}

/**
 * Why these versions need to be allowed, or undefined: the distribution has a higher one of the same
 * source, which its users would go on to get.
 */
export async function olderThanDistribution(
  distribution: Distribution,
  series: string,
  coming: readonly Pick<Coming, "source" | "version">[],
): Promise<string | undefined> {
  const names = new Set(coming.map(({ source }) => source));
  return belowDistribution(coming, await distribution.find(series, names));
}

function belowDistribution(
  coming: readonly Pick<Coming, "source" | "version">[],
  theirs: readonly DistributionPackage[],
): string | undefined {
  const below = coming.flatMap(({ source, version }) => {
    const highest = theirs
      .filter((one) => one.source === source)
      .map(({ sourceVersion }) => sourceVersion)
      .sort(compareVersions)
      .at(-1);
    return highest === undefined || compareVersions(version, highest) >= 0
      ? []
      : [`${source} ${version} is below the distribution's own, ${highest}`];
  });
  return below.length === 0 ? undefined : below.join("; ");
}

/** The binary packages that a source builds and that belong to another one. */
export function takenOver(
  coming: readonly Coming[],
  published: readonly Pick<Publication, "kind" | "name" | "source">[],
  theirs: readonly Pick<DistributionPackage, "name" | "source">[],
): { readonly name: string; readonly words: string }[] {
  const gaveUp = (name: string, source: string) =>
    coming.some((one) => one.source === source && !one.builds.includes(name));
  return coming.flatMap(({ source, builds }) =>
    builds.flatMap((name) => {
      const ours = published.filter(
        (one) => one.kind === "binary" && one.name === name,
      );
      const others = theirs.filter((one) => one.name === name);
      const isOwn = (one: { readonly source: string }) => one.source === source;
      // Whoever has it in the archive was allowed to take it from the distribution.
      const owners = ours.length > 0 ? ours : others;
      if (owners.some(isOwn)) return [];
      const owner = owners.find((one) => !gaveUp(name, one.source));
      if (owner === undefined) return [];
      const where = ours.length > 0 ? "archive" : "distribution";
      const words = `${source} builds the binary package ${name}, which belongs to source ${owner.source} of the ${where}`;
      return [{ name, words }];
    }),
  );
}
