import { proved } from "../package.js";
import { readKey, searchEnvironments, searchProcesses } from "../scripts.js";

const places = [
  ["rules", "build", "a build"],
  ["dependency", "dependency", "a build dependency's postinst"],
  ["image", "image", "an image's postinst"],
  ["root-test", "test", "a test as root"],
  ["test", "test", "a test"],
];

/** An `env` that notes down what it is given before it clears it. */
const spyingEnv = (file) => `mv /usr/bin/env /usr/bin/env.real
cat >/usr/bin/env <<'SPY'
#!/bin/sh
{ /usr/bin/env.real; ls -l /proc/self/fd /proc/$$/fd; } >>${file} 2>/dev/null
chmod 666 ${file} 2>/dev/null
exec /usr/bin/env.real "$@"
SPY
chmod 755 /usr/bin/env; : >${file}; chmod 666 ${file}`;

const token = ({ canary }) => ({ UBUNTU_CI_ATTACK_TOKEN: canary.secret });

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  ...places.map(([at, boundary, who]) => ({
    id: `s6-descriptors-${at}`,
    row: "S6",
    boundary,
    quick: true,
    // autopkgtest closes them.
    before: boundary === "test" ? "held" : "succeeds",
    tries: `${who} searches the descriptors 3, 10, 200 and 201 of the caller of land`,
    piece: { at, script: ({ id }) => searchProcesses(id) },
    look: ({ place, id }, { logs }) => place.sayingOnDescriptors(id, logs),
  })),
  ...places.map(([at, boundary, who]) => ({
    id: `own-keyring-${at}`,
    row: "own",
    boundary,
    quick: true,
    before: "either",
    tries: `${who} reads a key of the operator's session keyring`,
    piece: { at, script: ({ id }) => readKey(`attack-${id}`) },
  })),
  ...places.map(([at, boundary, who]) => ({
    id: `own-environment-${at}`,
    row: "own",
    boundary,
    quick: true,
    before: "either",
    tries: `${who} searches the environments of all processes for a secret of the operator's`,
    piece: {
      at,
      script: () => searchEnvironments("ATTACK_TOKEN"),
      env: (here) => ({
        [`ATTACK_TOKEN_${here.id.replaceAll("-", "_")}`]: here.canary.secret,
      }),
    },
  })),
  ...places.map(([at, boundary, who]) => ({
    id: `s7-terminal-${at}`,
    row: "S7",
    boundary,
    quick: true,
    // apt gives what it starts a terminal of its own, autopkgtest what is not root.
    before: at === "rules" || at === "root-test" ? "succeeds" : "held",
    tries: `${who} writes to the terminal that land was started from`,
    piece: {
      at,
      script: ({ id }) => `printf 'FORGED-%s\\r\\n' 'LINE-${id}' >/dev/tty
perl -e 'open(my $t, "+<", "/dev/tty") or exit; for my $c (split //, "echo x\\n") { my $b = $c; ioctl($t, 0x5412, $b) or print "TIOCSTI: $!\\n" }' | head -n 1`,
    },
    look: ({ place, id }) =>
      place.terminal().includes(`FORGED-LINE-${id}`)
        ? "its words stand on the operator's terminal"
        : undefined,
  })),
  {
    id: "own-env-replaced-image",
    row: "own",
    boundary: "image",
    quick: true,
    before: "succeeds",
    tries:
      "the image's own `env` reads the operator's environment, which it is to clear",
    land: { env: token },
    ticket: (here) => [
      {
        source: here.name,
        binaries: [
          {
            name: here.name,
            postinst: proved(here.id, spyingEnv("/var/seen-env")),
          },
        ],
        tests: [{ name: "tell", root: true, script: "cat /var/seen-env\n" }],
      },
    ],
  },
  {
    id: "own-env-replaced-dependency",
    row: "own",
    boundary: "dependency",
    before: "succeeds",
    tries: "the same by a build dependency's `env`, told by debian/rules",
    land: { env: token, until: "build-source" },
    ticket: (here) => [
      {
        source: `${here.name}-dep`,
        binaries: [
          {
            name: `${here.name}-dep`,
            postinst: proved(here.id, spyingEnv("/var/seen-env")),
          },
        ],
      },
      {
        source: here.name,
        buildDepends: `${here.name}-dep`,
        build: "cat /var/seen-env\n",
      },
    ],
  },
  {
    id: "own-entering-watched",
    row: "own",
    boundary: "test",
    before: "either",
    tries:
      "a process left behind by a test watches what enters the session: its environment and working folder",
    land: { env: token },
    ticket: (here) => [
      {
        source: here.name,
        tests: [
          {
            name: "watch",
            root: true,
            script: proved(
              here.id,
              `setsid perl -e 'open(STDOUT, ">>", "/var/seen"); open(STDERR, ">&", STDOUT); open(STDIN, "<", "/dev/null"); $| = 1;
my $end = time + 60; my %seen;
while (time < $end) {
  for my $p (glob "/proc/[0-9]*") {
    my $text = do { local $/; open(my $f, "<", "$p/environ") ? <$f> : "" } // "";
    print "$text\\n" if $text =~ /ATTACK_TOKEN/ && !$seen{$text}++;
    for my $at (glob("$p/fd/*"), "$p/cwd", "$p/root") {
      my $to = readlink $at // next;
      print "$at $to\\n" if $to =~ m(${here.canary.folder}|^/var/lib|scratch) && !$seen{$to}++;
      if (open(my $f, "<", "$at/precious.txt")) { print <$f> }
    }
  }
}' >/dev/null 2>&1 &`,
            ),
          },
          ...["one", "two", "three"].map((name) => ({
            name,
            root: true,
            script: "cat /var/seen; sleep 0.3\n",
          })),
        ],
      },
    ],
  },
  {
    id: "s6-descriptors-sbuild",
    row: "S6",
    boundary: "build",
    needs: "sbuild",
    before: "either",
    tries: "a build under sbuild searches the descriptors of the caller",
    land: {
      until: "build-source",
      settings: { builder: "sbuild" },
      wrapped: true,
    },
    ticket: (here) => [
      { source: here.name, build: proved(here.id, searchProcesses(here.id)) },
    ],
    look: ({ place, id }, { logs }) => place.sayingOnDescriptors(id, logs),
  },
];
