import { proved } from "../package.js";
import { forge, holdFirstProcess, traceEntering, unmount } from "../scripts.js";

const up = "/..".repeat(24);

const madeOf = ({ canary }) => `made ${up}${canary.folder}/precious.txt`;

/** A package of which nothing matters but its postinst. */
const installed = (here, script) => [
  {
    source: here.name,
    binaries: [{ name: here.name, postinst: proved(here.id, script) }],
  },
];

const ourFault = (_here, { status }) =>
  status.failure?.kind === "infrastructure"
    ? `our infrastructure is blamed: ${status.failure.reason}`
    : undefined;

/** Makes a folder of the image a link to the owner's home, where inside all of it is, too. */
const becomesLink = (folder, { canary }) => `mkdir -p ${canary.folder}
cp -a ${folder}/. ${canary.folder}/
rm -rf ${folder} && ln -s ${canary.folder} ${folder} && echo "${folder} is a link"`;

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s2-forged-line-image",
    row: "S2",
    boundary: "image",
    quick: true,
    before: "succeeds",
    tries:
      "a postinst of the image speaks for PID 1: a file outside is to be removed",
    land: { until: "build-image" },
    ticket: (here) => installed(here, forge([madeOf(here)])),
  },
  {
    id: "s2-forged-line-dependency",
    row: "S2",
    boundary: "dependency",
    before: "succeeds",
    tries: "the same from the postinst of a build dependency",
    land: { until: "build-source" },
    ticket: (here) => [
      {
        source: `${here.name}-dep`,
        binaries: [
          {
            name: `${here.name}-dep`,
            postinst: proved(here.id, forge([madeOf(here)])),
          },
        ],
      },
      { source: here.name, buildDepends: `${here.name}-dep` },
    ],
  },
  {
    id: "s2-forged-pid-test",
    row: "S2",
    boundary: "test",
    quick: true,
    before: "succeeds",
    tries:
      "a test says that the session is another process: what follows fails by our fault",
    ticket: (here) => [
      {
        source: here.name,
        tests: [
          {
            name: "forge",
            root: true,
            script: proved(here.id, forge(["pid 1", madeOf(here)])),
          },
          { name: "after", root: true, script: "echo still here\n" },
        ],
      },
    ],
    look: ourFault,
  },
  {
    id: "s2-forged-pid-image",
    row: "S2",
    boundary: "image",
    before: "succeeds",
    tries: "the same in an image",
    land: { until: "build-image" },
    ticket: (here) => installed(here, forge(["pid 1", "ready", "pid -1"])),
    look: ourFault,
  },
  {
    id: "own-entering-traced",
    row: "own",
    boundary: "test",
    before: "either",
    tries:
      "a process left behind by a test traces what enters the session, before that is one of it",
    ticket: (here) => [
      {
        source: here.name,
        tests: [
          {
            name: "trace",
            root: true,
            script: proved(here.id, traceEntering(here.id)),
          },
          ...["one", "two", "three"].map((name) => ({
            name,
            root: true,
            script: "sleep 0.3; cat /var/traced\n",
          })),
        ],
      },
    ],
    look: ({ id }, { logs }) =>
      logs.includes(`TRACED-${id}`)
        ? "what entered could be traced or read"
        : undefined,
  },
  {
    id: "s2-first-process-held",
    row: "S2",
    boundary: "image",
    before: "succeeds",
    tries:
      "PID 1 is held by ptrace: the session never ends, whatever the time limit",
    land: { until: "build-image", timeoutMs: 120_000 },
    ticket: (here) => installed(here, holdFirstProcess),
    // The log is put in place when the step ends.
    isCarriedOut: (_told, { timedOut }) => timedOut,
    look: (_here, _told, { timedOut }) =>
      timedOut ? "land hung until it was killed" : undefined,
  },
  {
    id: "s2-etc-is-link",
    row: "S2",
    boundary: "image",
    before: "succeeds",
    tries:
      "/etc of the image becomes a link to the owner's home, and is cleaned up in",
    land: { until: "build-image" },
    ticket: (here) =>
      installed(
        here,
        `${unmount("/etc/hosts", "/etc/resolv.conf")}\n${becomesLink("/etc", here)}`,
      ),
  },
  {
    id: "s2-sbin-is-link",
    row: "S2",
    boundary: "image",
    before: "succeeds",
    tries: "the same with /usr/sbin, where policy-rc.d was shown",
    land: { until: "build-image" },
    ticket: (here) =>
      installed(
        here,
        `${unmount("/usr/sbin/policy-rc.d")}\n${becomesLink("/usr/sbin", here)}`,
      ),
  },
  {
    id: "s2-rooms-are-links",
    row: "S2",
    boundary: "image",
    before: "held",
    tries:
      "/tmp, /build, /etc/hosts and more of the image lead to the owner's home when it is tested",
    ticket: (here) => [
      {
        ...installed(
          here,
          `mkdir -p ${here.canary.folder}
${unmount("/etc/hosts", "/tmp")}
rm -rf /tmp /build /var/tmp /srv /mnt /media /etc/hosts
for room in tmp build var/tmp srv mnt media; do ln -s ${here.canary.folder} /$room; done
ln -s ${here.canary.folder}/new /etc/hosts`,
        )[0],
        tests: [{ name: "look", root: true, script: "ls -l /tmp/\n" }],
      },
    ],
  },
  {
    id: "s2-lines-by-name",
    row: "S2",
    boundary: "image",
    quick: true,
    before: "held",
    tries: "lines through /proc/1/fd, and PID 1 killed and stopped from inside",
    piece: {
      at: "image",
      script: (here) => `for n in 0 1 2; do
  timeout 2 sh -c 'printf "%s\\n" "$1" >/proc/1/fd/$0' $n '${madeOf(here)}'
done
kill -9 1; kill -STOP 1; kill -TERM 1; kill -INT 1
ls -l /proc/1/root/ /proc/1/cwd/ | head -n 3`,
    },
  },
  {
    id: "own-kill-all",
    row: "own",
    boundary: "build",
    before: "held",
    tries: "kill -9 -1 in debian/rules: nothing of the owner's ends outside",
    land: { until: "build-source" },
    ticket: (here) => [
      { source: here.name, build: proved(here.id, "sleep 1; kill -9 -1") },
    ],
    look: ({ place }) =>
      place.sentinel.exitCode === null && place.sentinel.signalCode === null
        ? undefined
        : "a process of the owner's was killed",
  },
];
