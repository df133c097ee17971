import type { Distribution } from "./distribution.ts";

/**
 * A distribution that has, in every series, what a setting says.
 *
 * @param sources the setting `fake.distribution`: `SOURCE VERSION [BINARY …]`, by default a binary of
 *   the source's name
 */
export function fakeDistribution(sources: readonly string[]): Distribution {
  const packages = sources.flatMap((words) => {
    const [source = "", version = "", ...binaries] = words.split(" ");
    return (binaries.length === 0 ? [source] : binaries).map((name) => ({
      ...{ name, version, source, sourceVersion: version, provides: "" },
    }));
  });
  return {
    find: (_series, names) =>
      Promise.resolve(
        packages.filter(({ name, source }) =>
          [name, source].some((one) => names.has(one)),
        ),
      ),
  };
}
