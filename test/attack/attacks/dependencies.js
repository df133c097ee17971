import { isProved, proved } from "../package.js";

/** A package that says so where it is installed. */
const marked = (name) => ({
  name,
  files: { [`usr/share/poison/${name}`]: "poisoned\n" },
});

const looks = (id) =>
  proved(
    id,
    `ls -l /usr/share/poison
if [ -e /usr/share/poison ]; then echo "POISONED-${id}"; fi`,
  );

/** Lands a ticket as far as its build, and tells how it ended. */
async function build({ place }, packages, until = "build-source") {
  const ticket = await place.ticket(packages);
  const land = () => place.ci(["land", "--ticket", ticket, "--until", until]);
  await land();
  // It goes by the name of a package of the distribution: here somebody has allowed that.
  if ((await place.status(ticket)).status === "set-aside") {
    const allow = ["override", ticket, "--reason", "an attack"];
    for (const { name } of packages.flatMap(({ binaries = [] }) => binaries))
      await place.ci([...allow, "--allow-takeover", name]);
    await land();
  }
  const told = await place.told(ticket);
  await place.putAway(ticket);
  return told;
}

const reasonOf = ({ status }) => status.failure?.reason ?? status.status;

/** How the second ticket fared: with the first one's package, or without it as it must be. */
function secondOf(here, told) {
  const refused = /depend/i.test(reasonOf(told));
  return {
    ran:
      isProved(here.id, told.logs) || refused
        ? true
        : `the second ticket: ${reasonOf(told)}`,
    breach: told.logs.includes(`POISONED-${here.id}`)
      ? "the second ticket was built with the first one's package"
      : undefined,
  };
}

/** One ticket builds a dependency and fails; another by somebody else has the same Build-Depends. */
function poison(name, evil) {
  return async (here) => {
    const first = await build(here, [
      { source: `${here.name}-evil`, binaries: [evil(here)] },
      {
        source: `${here.name}-trigger`,
        buildDepends: name(here),
        build: `${proved(`${here.id}-first`, ":")}exit 1\n`,
      },
    ]);
    if (!isProved(`${here.id}-first`, first.logs))
      return { ran: `the first ticket: ${reasonOf(first)}` };
    const second = await build(here, [
      {
        source: `${here.name}-victim`,
        buildDepends: name(here),
        build: looks(here.id),
      },
    ]);
    return secondOf(here, second);
  };
}

/** Lands a library, builds with it, takes it out of the archive, and builds with it once more. */
async function buildWithReverted(here) {
  const { place } = here;
  const name = `${here.name}-lib`;
  const { revisions } = JSON.parse(
    await place.ciOk("archive", "list", "--json"),
  );
  const before = Math.max(...revisions.map(({ revision }) => revision));
  const landed = await build(
    here,
    [{ source: name, binaries: [marked(name)] }],
    "publish",
  );
  if (landed.status.status !== "done")
    return { ran: `the library did not land: ${reasonOf(landed)}` };
  const user = (suffix, id) => ({
    source: `${here.name}-${suffix}`,
    buildDepends: name,
    build: looks(id),
  });
  const first = await build(here, [user("before", `${here.id}-first`)]);
  if (!isProved(`${here.id}-first`, first.logs))
    return { ran: `its first user: ${reasonOf(first)}` };
  const reverted = await place.ci(place.revertArgs(before));
  if (reverted.code !== 0) return { ran: reverted.stderr };
  return secondOf(here, await build(here, [user("after", here.id)]));
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s3-known-dependency",
    row: "S3",
    boundary: "dependency",
    quick: true,
    before: "succeeds",
    tries:
      "a failed ticket's own ed 99 is what the next ticket's Build-Depends: ed comes to",
    carryOut: poison(
      () => "ed",
      () => ({ ...marked("ed"), version: "99" }),
    ),
  },
  {
    id: "s3-exists-nowhere",
    row: "S3",
    boundary: "dependency",
    before: "succeeds",
    tries: "a dependency that only a failed ticket had is still found",
    carryOut: poison(
      (here) => `${here.name}-only`,
      (here) => marked(`${here.name}-only`),
    ),
  },
  {
    id: "s3-provided",
    row: "S3",
    boundary: "dependency",
    before: "succeeds",
    tries:
      "the same by a Provides: a failed ticket's package stands for another name",
    carryOut: poison(
      // The first part has the provider built before what needs it.
      (here) => `${here.name}-real | hello, ${here.name}-virtual`,
      (here) => ({
        ...marked(`${here.name}-real`),
        fields: `Provides: ${here.name}-virtual\n`,
      }),
    ),
  },
  {
    id: "s3-forged-memory",
    row: "S3",
    boundary: "dependency",
    before: "succeeds",
    tries:
      "a build dependency rewrites dpkg-query and dpkg's status: what is remembered of it is forged",
    carryOut: poison(
      () => "bc",
      () => ({
        ...marked("bc"),
        version: "99",
        postinst: `mv /usr/bin/dpkg-query /usr/bin/dpkg-query.real
printf '#!/bin/sh\\necho libc6,,,,,,,,,\\n' >/usr/bin/dpkg-query; chmod 755 /usr/bin/dpkg-query
sed -i 's/^Package: bc$/Package: dc/' /var/lib/dpkg/status
`,
      }),
    ),
  },
  {
    id: "s3-shared-tools",
    row: "S3",
    boundary: "dependency",
    before: "succeeds",
    tries:
      "a build dependency changes what other packages of its layer hold, and apt's cache",
    carryOut: poison(
      () => "patchutils",
      () => ({
        ...marked("patchutils"),
        version: "99",
        postinst: `mkdir -p /var/cache/apt/archives
echo 'echo poisoned' >>/etc/bash.bashrc
touch /var/cache/apt/archives/ed_99_all.deb /var/lib/apt/lists/forged_Packages
`,
      }),
    ),
  },
  {
    id: "s3-reverted",
    row: "S3",
    boundary: "dependency",
    exclusive: true,
    before: "succeeds",
    tries: "what `archive revert` took out of the archive is still built with",
    carryOut: buildWithReverted,
  },
];
