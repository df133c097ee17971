import { writeFile } from "node:fs/promises";
import { join } from "node:path";

import { needsRepair } from "../../domain/error.ts";
import { advice, remedy } from "../../domain/remedy.ts";
import { packageName } from "../../debian/control-file.ts";
import { digestFile } from "../../files/atomic-file.ts";
import { now } from "../../host/clock.ts";
import { exec, requireTools } from "../../host/exec.ts";
import type { StatePaths } from "../../host/paths.ts";
import type { Base } from "../../session/layer.ts";
import { requireBase } from "../../session/find-layer.ts";
import { keepUpper } from "../../session/make-layer.ts";
import { openSession } from "../../session/open-session.ts";
import type { Resources } from "../../session/resources.ts";
import type { Session } from "../../session/session.ts";
import {
  deniedDevice,
  readPrintUris,
  readRemoved,
  type AptUri,
} from "../apt-verdict.ts";
import { runTask, type TaskRun } from "../run-task.ts";
import { publishedIn } from "../published.ts";
import {
  askApt,
  repositoryOf,
  runApt,
  setUpApt,
  type SessionApt,
} from "../session-apt.ts";
import { packageFault, toolFault, Verdict } from "../verdict.ts";
import type { ProducedFile } from "../run-context.ts";
import { coInstallable, type LeftOut } from "./co-installable.ts";
import type { Image, ImageRequest, Imager } from "./imager.ts";
import {
  manifestFormat,
  plannedListing,
  readManifest,
  listingDifference,
  wrongOrigin,
} from "./manifest.ts";
import { deviceEntries, systemFiles } from "./system-files.ts";

interface SessionImagerOptions {
  readonly paths: StatePaths;
  readonly timeoutMs: number;
  /** Private networks that sessions may reach. */
  readonly allow: readonly string[];
  /** What one session may use; without it nothing but the machine sets limits. */
  readonly resources?: Resources;
}

interface ImageRun extends TaskRun, SessionImagerOptions {
  readonly request: ImageRequest;
}

/**
 * An imager that installs and removes packages in a session over the base, keeps what that wrote as a
 * layer, and exports base and layer together. The same request gives the same image, byte by byte.
 */
export function createSessionImager(options: SessionImagerOptions): Imager {
  return {
    async buildImage(request, work) {
      const subject = `ticket-${request.ticket}`;
      const { value, ...ended } = await runTask(
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
          run.startFrom(base);
          return makeImage({ ...run, ...options, request }, base);
        },
      );
      return {
        ...ended,
        image: value?.image ?? null,
        leftOut: value?.leftOut ?? [],
        files: value?.files ?? [],
      };
    },
  };
}

async function makeImage(
  run: ImageRun,
  base: Base,
): Promise<{
  image: Image;
  files: readonly ProducedFile[];
  leftOut: readonly LeftOut[];
}> {
  const { work, clock, paths } = run;
  const { request, leftOut } = await withoutConflicts(run.request, base);
  for (const one of leftOut)
    await run.log.write(
      `left out: ${one.package}, which conflicts with ${one.because}\n`,
    );
  const apt = await setUpApt(base, request.repositories, run.allow);
  const scratch = join(work.scratch, "image");
  const session = await clock.time("session", () =>
    openSession({
      layers: [base.root],
      scratch,
      hostname: "localhost",
      binds: apt.binds,
      given: apt.given,
      network: apt.network,
      ...(run.resources !== undefined && { resources: run.resources }),
    }),
  );
  try {
    const before = await packagesIn(run, session);
    const plan = await clock.time("install", () =>
      changePackages({ ...run, request }, session, apt),
    );
    const manifest = await clock.time("manifest", async () => {
      // Code of the packages may have changed the listing since, so the manifest follows the plan.
      const planned = plannedListing(before, plan.wanted, plan.removed);
      const odd = listingDifference(planned, await packagesIn(run, session));
      if (odd !== undefined)
        throw packageFault(
          `the image has not the packages that apt planned: ${odd}`,
        );
      const repositories = await Promise.all(
        request.repositories.map(async (repository) => ({
          name: repository.name,
          binaries: await publishedIn(repository),
        })),
      );
      const found = readManifest(
        planned,
        request.series,
        plan.wanted.map((uri) => ({ ...uri, from: repositoryOf(uri.uri) })),
        repositories,
      );
      const [first] = repositories;
      if (first !== undefined) {
        const wrong = wrongOrigin(found, request.add, first);
        if (wrong !== undefined) throw packageFault(wrong);
      }
      const installed = new Set(found.map((entry) => entry.package));
      const left = request.remove.filter((name) => installed.has(name));
      if (left.length > 0)
        throw packageFault(`${left.join(", ")} could not be removed`);
      return found;
    });
    await clock.time("clean", () => clean(run, session));
    await session.close({ keep: true });
    run.say({ message: "exporting the image" });
    const title = `ticket-${request.ticket}`;
    const tarball = join(work.scratch, `${title}.rootfs.tar.zst`);
    const digest = await clock.time("export", () =>
      exportImage(run, base, session.upper, tarball),
    );
    const layer = await clock.time("keep", () =>
      keepUpper(paths.layers, session.upper, {
        name: `image-ticket.${request.ticket}-${digest.slice(0, 32)}`,
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
    const { layers } = image;
    const listed = {
      ...{ digest: image.digest, layers, packages: manifest },
      left_out: leftOut,
    };
    await writeFile(list, JSON.stringify(listed, null, 2) + "\n");
    return {
      image,
      leftOut,
      files: [
        { name: `${title}.rootfs.tar.zst`, path: tarball },
        { name: `${title}.manifest.json`, path: list },
      ],
    };
  } finally {
    await session.close();
  }
}

/** The packages that dpkg lists in a session, in {@link manifestFormat}. */
async function packagesIn(run: ImageRun, session: Session): Promise<string> {
  const listing = await session.run(
    ["dpkg-query", "-W", "-f", manifestFormat],
    { signal: run.limits.any },
  );
  if (listing.exitCode !== 0) throw toolFault("dpkg-query", listing);
  return listing.stdout;
}

/** A plan of apt: the package files to install, and the names of packages to remove. */
interface Plan {
  readonly wanted: readonly AptUri[];
  readonly removed: readonly string[];
}

/** Installs and purges packages in one run of apt; returns the plan. */
async function changePackages(
  run: ImageRun,
  session: Session,
  apt: SessionApt,
): Promise<Plan> {
  const { request, limits, log } = run;
  const words = [
    ...request.add,
    // apt removes NAME for the argument NAME-. No package name ends with a dash: checked below.
    ...request.remove.map((name) => `${name}-`),
  ];
  const complete = () => completeSystem(run, session);
  if (words.length === 0) {
    await complete();
    return { wanted: [], removed: [] };
  }
  const odd = [...request.add, ...request.remove].find(
    (name) => !packageName.test(name),
  );
  if (odd !== undefined)
    throw packageFault(`${JSON.stringify(odd)} is not a package's name`);
  run.say({ message: `installing ${request.add.join(", ")}` });
  await apt.prepare(session);
  const args = ["install", "--purge", ...words];
  const planned = await askApt(session, apt, args, log, limits.any);
  const asked = await runApt(
    session,
    apt,
    args,
    planned,
    log,
    limits.any,
    complete,
  ).catch((thrown: unknown) => throwLackOfDevices(thrown, run));
  return { wanted: readPrintUris(asked), removed: readRemoved(asked) };
}

/** The request without packages that conflict with others of it, where it allows that. */
async function withoutConflicts(
  request: ImageRequest,
  base: Base,
): Promise<{ request: ImageRequest; leftOut: readonly LeftOut[] }> {
  const [first] = request.repositories;
  if (request.leaveOutConflicts !== true || first === undefined)
    return { request, leftOut: [] };
  const { add, leftOut } = coInstallable(
    request.add,
    await publishedIn(first),
    base.architecture,
  );
  return { request: { ...request, add }, leftOut };
}

/** Writes the files that every system has, unless the base does: packages may go on from there. */
async function completeSystem(run: ImageRun, session: Session): Promise<void> {
  for (const [path, contents] of Object.entries(systemFiles)) {
    const written = await session.run(["sh", "-c", 'cat >"$1"', "sh", path], {
      input: contents,
      signal: run.limits.any,
    });
    if (written.exitCode !== 0) throw toolFault(`writing ${path}`, written);
  }
}

/** @throws what was thrown; when a package failed for want of mknod(2), that it needs a person */
async function throwLackOfDevices(
  thrown: unknown,
  run: ImageRun,
): Promise<never> {
  const line =
    thrown instanceof Verdict && thrown.outcome === "failed"
      ? deniedDevice(await run.log.tail())
      : undefined;
  if (line === undefined) throw thrown;
  throw needsRepair(
    `a package of the image makes devices (mknod), which sessions cannot: ${line}`,
    advice`leave it out with --add or --remove, in a new ticket, or pass over the image: ${remedy("override", [run.request.ticket], { "ignore-step": "build-image", reason: "TEXT" })}`,
  );
}

/** Removes what differs between two runs: caches, logs, backup copies, and the identity of the machine. */
async function clean(run: ImageRun, session: Session): Promise<void> {
  const cleaned = await session.run(
    [
      "sh",
      "-ec",
      `find /var/cache/apt -mindepth 1 -not -type d -delete
find /var/log -type f -delete
rm -f /var/cache/ldconfig/aux-cache /var/lib/dpkg/*-old /var/cache/debconf/*-old /var/lib/apt/extended_states.* /root/.bash_history
if [ -e /etc/machine-id ]; then : >/etc/machine-id; fi
rm -f /var/lib/dbus/machine-id`,
    ],
    { signal: run.limits.any },
  );
  if (cleaned.exitCode !== 0) throw toolFault("cleaning the image", cleaned);
}

/**
 * Writes an image as a zstd tarball and returns its sha256 in hex. Entries are sorted by name and no
 * time is later than the base's, so that equal contents give equal bytes.
 *
 * tar runs in a new session over the base, so that the distribution's tar packs the image and no code
 * of the image runs.
 *
 * @param upper the upper folder of the session in which the image was made
 */
async function exportImage(
  run: ImageRun,
  base: Base,
  upper: string,
  tarball: string,
): Promise<string> {
  const view = "/run/ubuntu-ci/image";
  const devices = join(run.work.scratch, "devices.tar");
  const mtime = Math.floor(Date.parse(base.created_at) / 1000);
  await writeFile(devices, deviceEntries(mtime));
  const session = await openSession({
    layers: [base.root],
    scratch: join(run.work.scratch, "export"),
    binds: [{ from: [upper, base.root], to: view }],
  });
  // Ending the shell would leave tar running, so its session is ended.
  const stop = () => void session.close();
  run.limits.any.addEventListener("abort", stop, { once: true });
  try {
    const packed = await exec(
      [
        ...["bash", "-o", "pipefail", "-c"],
        'devices=$1 tarball=$2; shift 2; { cat "$devices" && "$@"; } | zstd --quiet --force -T0 -3 -o "$tarball"',
        ...["export", devices, tarball, ...(await session.enter())],
        ...["tar", "--create", "--file=-", `--directory=${view}`],
        ...["--sort=name", "--numeric-owner", `--mtime=${base.created_at}`],
        ...["--clamp-mtime", "--format=posix", "--blocking-factor=512"],
        "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
        // Testbeds use the package lists; whoever gets the image has to fetch newer ones.
        "--exclude=./var/lib/apt/lists/*_*",
        "--exclude=./var/lib/apt/lists/lock",
        ...["--xattrs", "--xattrs-include=security.capability", "."],
      ],
      { cwd: "/", signal: run.limits.any },
    );
    run.limits.any.throwIfAborted();
    if (packed.exitCode !== 0) throw toolFault("exporting the image", packed);
  } finally {
    run.limits.any.removeEventListener("abort", stop);
    await session.close();
  }
  return (await digestFile(tarball)).sha256;
}
