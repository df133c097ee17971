import { archiveOf } from "../backends/kinds.ts";
import type { Archive, Revision } from "../backends/archive/archive.ts";
import { packageName } from "../debian/control-file.ts";
import type { AdmissionPolicy } from "./admission/policy.ts";
import type { LocalState } from "./local-state.ts";

/** What admission asks of the archive, which is opened and read once, when it is asked. */
export function archived({
  paths,
  config,
}: Pick<LocalState, "paths" | "config">): Pick<
  AdmissionPolicy,
  "archiveBinary" | "archiveFile"
> {
  let opened: Promise<Archive> | undefined;
  let read: Promise<Revision | null> | undefined;
  const archive = () => (opened ??= archiveOf(config).open(paths, config));
  const current = async () => {
    const it = await archive();
    return (await it.exists()) ? it.current() : null;
  };
  return {
    async archiveBinary(series, name) {
      const revision = await (read ??= current());
      return (
        revision?.publications[series]?.find(
          (one) => one.kind === "binary" && one.name === name,
        ) ?? null
      );
    },
    // The name of a source may be anything here: what is wrong with it is told elsewhere.
    archiveFile: async (source, name) =>
      packageName.test(source) ? (await archive()).fileOf(source, name) : null,
  };
}
