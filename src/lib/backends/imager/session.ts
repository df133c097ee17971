import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { digestFile } from "../../host/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { describeEnd, exec, requireTools } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Base } from "../../host/session/layer.ts";
import { keepUpper, requireBase } from "../../host/session/layers.ts";
import { openSession } from "../../host/session/open-session.ts";
import { removeTree } from "../../host/session/remove-tree.ts";
import type { Session } from "../../host/session/session.ts";
import { readPrintUris, type AptUri } from "../apt-verdict.ts";
import { carryOut, type Run } from "../carry-out.ts";
import { publishedIn } from "../published.ts";
import {
  askApt,
  repositoryOf,
  runApt,
  setUpApt,
  type SessionApt,
} from "../session-apt.ts";
import { ourFault, packageFault } from "../verdict.ts";
import type { ProducedFile } from "../work.ts";
import type { Image, ImageRequest, Imager } from "./imager.ts";
import { manifestFormat, readManifest, wrongOrigin } from "./manifest.ts";

export interface SessionImagerOptions {
  readonly paths: StatePaths;
  readonly timeoutMs: number;
}

interface ImageRun extends Run {
  readonly paths: StatePaths;
  readonly request: ImageRequest;
}

/**
 * An imager that installs and removes packages in a session over the base, and keeps what that
 * wrote as one layer; the export is the merged view. The same request gives the same image.
 */
export function createSessionImager(options: SessionImagerOptions): Imager {
  return {
    name: "session",
    async buildImage(request, work) {
      const subject = `ticket-${request.ticket}`;
      const built: { base: string | null } = { base: null };
      const { value, ...ended } = await carryOut(
        work,
        {
          subject,
          done: `${subject} is made`,
          log: {
            name: `${subject}.image.log`,
            title: `Image of ${subject}`,
            facts: {
              series: request.series,
              add: request.add.join(" "),
              remove: request.remove.join(" "),
            },
          },
          timeoutMs: options.timeoutMs,
        },
        async (run) => {
          const unsupported = request.types.filter((type) => type !== "rootfs");
          if (unsupported.length > 0)
            throw packageFault(
              `images of type ${unsupported.join(", ")} cannot be made yet`,
            );
          requireTools(["zstd"]);
          const base = await requireBase(
            options.paths.layers,
            request.series,
            request.baseImage,
          );
          built.base = base.digest;
          return makeImage({ ...run, ...options, request }, base);
        },
      );
      return {
        ...ended,
        ...built,
        image: value?.image ?? null,
        files: value?.files ?? [],
      };
    },
  };
}

async function makeImage(
  run: ImageRun,
  base: Base,
): Promise<{ image: Image; files: readonly ProducedFile[] }> {
  const { request, work, clock, paths } = run;
  const apt = await setUpApt(base, request.repositories, work.scratch);
  const scratch = join(work.scratch, "image");
  const session = await clock.time("session", () =>
    openSession({
      layers: [base.root],
      scratch,
      hostname: "image",
      binds: apt.binds,
    }),
  );
  let kept = false;
  try {
    const fetched = await clock.time("install", () =>
      changePackages(run, session, apt),
    );
    const manifest = await clock.time("manifest", async () => {
      const listing = await session.run(
        ["dpkg-query", "-W", "-f", manifestFormat],
        { signal: run.limits.any },
      );
      if (listing.exitCode !== 0)
        throw ourFault(`dpkg-query ${describeEnd(listing)}: ${listing.stderr}`);
      const repositories = await Promise.all(
        request.repositories.map(async (repository) => ({
          name: repository.name,
          binaries: await publishedIn(repository),
        })),
      );
      const found = readManifest(
        listing.stdout,
        request.series,
        fetched.map((uri) => ({ ...uri, from: repositoryOf(uri.uri) })),
        repositories,
      );
      const [first] = repositories;
      if (first !== undefined) {
        const wrong = wrongOrigin(found, request.add, first);
        if (wrong !== undefined) throw packageFault(wrong);
      }
      const left = request.remove.filter((name) =>
        found.some((entry) => entry.package === name),
      );
      if (left.length > 0)
        throw packageFault(`${left.join(", ")} could not be removed`);
      return found;
    });
    await clock.time("clean", () => clean(run, session));
    run.say({ message: "exporting the image" });
    const title = `ticket-${request.ticket}`;
    const tarball = join(work.scratch, `${title}.rootfs.tar.zst`);
    const digest = await clock.time("export", () =>
      exportImage(run, session, base.created_at, tarball),
    );
    await session.close({ keep: true });
    kept = true;
    const layer = await clock.time("keep", () =>
      keepUpper(paths.layers, session.upper, {
        name: `image-ticket.${request.ticket}-${digest.slice(0, 16)}`,
        kind: "image",
        digest: `sha256:${digest}`,
        below: [base.name],
        series: request.series,
        architecture: base.architecture,
        created_at: now(),
      }),
    );
    const image: Image = {
      layers: [layer.name, ...layer.below],
      digest: `sha256:${digest}`,
      manifest,
    };
    const list = join(work.scratch, `${title}.manifest.json`);
    await writeFile(
      list,
      JSON.stringify(
        { digest: image.digest, layers: image.layers, packages: manifest },
        null,
        2,
      ) + "\n",
    );
    return {
      image,
      files: [
        { name: `${title}.rootfs.tar.zst`, path: tarball },
        { name: `${title}.manifest.json`, path: list },
      ],
    };
  } finally {
    if (kept) await removeTree(scratch);
    else await session.close();
  }
}

/** Installs and purges in one go, and tells what was fetched and from where. */
async function changePackages(
  run: ImageRun,
  session: Session,
  apt: SessionApt,
): Promise<readonly AptUri[]> {
  const { request, limits, log } = run;
  const words = [
    ...request.add,
    // apt takes NAME- for a package to remove; it must be sure that none is called so.
    ...request.remove.map((name) => `${name}-`),
  ];
  if (words.length === 0) return [];
  const odd = [...request.add, ...request.remove].find(
    (name) => !/^[a-z0-9][a-z0-9+.-]+$/.test(name),
  );
  if (odd !== undefined)
    throw packageFault(`${JSON.stringify(odd)} is not a package's name`);
  run.say({ message: `installing ${request.add.join(", ")}` });
  await apt.prepare(session);
  const args = ["install", "--purge", ...words];
  const asked = await askApt(session, apt, args, log, limits.any);
  await runApt(session, apt, args, log, limits.any);
  return readPrintUris(asked);
}

/** Leaves nothing in the image that is ours, that is old, or that differs from one run to the next. */
async function clean(run: ImageRun, session: Session): Promise<void> {
  const cleaned = await session.run(
    [
      "sh",
      "-ec",
      `find /var/lib/apt/lists /var/cache/apt -mindepth 1 -not -type d -delete
find /var/log -type f -delete
rm -f /etc/hostname /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/lib/apt/extended_states.* /root/.bash_history
if [ -e /etc/machine-id ]; then : >/etc/machine-id; fi
rm -f /var/lib/dbus/machine-id`,
    ],
    { signal: run.limits.any },
  );
  if (cleaned.exitCode !== 0)
    throw ourFault(
      `cleaning the image ${describeEnd(cleaned)}: ${cleaned.stderr.trim()}`,
    );
}

/** What a session shows of its own over files that a system need not have. */
const shownFiles = ["/usr/sbin/policy-rc.d", "/etc/hosts", "/etc/resolv.conf"];

/**
 * Writes the merged view as a zstd tarball and returns its sha256 in hex. Names are in order and no
 * time is later than the base's, so that the same contents give the same bytes.
 */
async function exportImage(
  run: ImageRun,
  session: Session,
  baseTime: string,
  tarball: string,
): Promise<string> {
  // A bind that does not recurse shows the file system without what a session mounts over it, but
  // with the empty places it had to make for that.
  const view = "/run/ubuntu-ci-image";
  const pack = `mkdir ${view}
mount --bind / ${view}
while [ $# -gt 1 ]; do
  if umount "$1" && [ -f "$1" ] && [ ! -s "$1" ]; then rm "$1"; fi
  shift
done
exec tar --create --file=- --directory=${view} --sort=name --numeric-owner --mtime="$1" --clamp-mtime --format=posix --pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime --xattrs --xattrs-include=security.capability .`;
  const packed = await exec(
    [
      ...["bash", "-o", "pipefail", "-c"],
      'tarball=$1; shift; "$@" | zstd --quiet --force -T0 -3 -o "$tarball"',
      ...["export", tarball],
      ...session.enter(),
      ...["sh", "-ec", pack, "export", ...shownFiles, baseTime],
    ],
    { cwd: "/", signal: run.limits.any },
  );
  run.limits.any.throwIfAborted();
  if (packed.exitCode !== 0)
    throw ourFault(
      `exporting the image ${describeEnd(packed)}: ${packed.stderr.trim()}`,
    );
  return (await digestFile(tarball)).sha256;
}
