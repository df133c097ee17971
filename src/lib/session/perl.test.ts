import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

import { expect, test } from "vitest";

import { startOf } from "../files/process-identity.ts";

// Whatever they say beside their own would stand among what a command inside printed.
test.each(
  readdirSync(import.meta.dirname).filter((name) => name.endsWith(".pl")),
)("%s: perl has nothing to say of it", (name) => {
  const argv = ["-w", "-c", join(import.meta.dirname, name), process.arch];
  const said = execFileSync("sh", ["-c", 'exec perl "$@" 2>&1', "sh", ...argv]);
  expect(String(said)).toMatch(/^\S+ syntax OK\n$/);
});

// As in a container whose PID 1 is no init: nobody but us waits for the orphans of the session.
const reapsItsOwnAlone = `
my ($supervise, $machine) = @ARGV;
my $set_child_subreaper = 36;
my $prctl = 157;
syscall($prctl, $set_child_subreaper, 1, 0, 0, 0) == 0 or die "prctl: $!";
my $session = fork // die;
exec qw(unshare --pid --fork perl -e), '$SIG{CHLD} = "IGNORE"; sleep 1000 while 1' if !$session;
my $init;
for (1 .. 100) {
  select undef, undef, undef, 0.05;
  ($init) = split " ", qx(cat /proc/$session/task/$session/children);
  last if $init;
}
my $stat = qx(cat /proc/$init/stat);
my $start = (split / /, substr $stat, 2 + rindex $stat, ")")[19];
my $leaves = 'my $p = syscall(56, 0x8000 | 17, 0, 0, 0, 0);
  if ($p == 0) { open STDOUT, ">", "/dev/null"; open STDERR, ">", "/dev/null"; sleep 600; exit }
  print "left\\n"; exit 3';
my $command = fork // die;
exec "perl", $supervise, $machine, "enter", "pid:$init:$start", "--", "perl", "-e", $leaves if !$command;
waitpid $command, 0;
print "ended with ", $? >> 8, "\\n";
kill KILL => $init;
for (1 .. 100) {
  select undef, undef, undef, 0.05;
  if (waitpid($session, 1) > 0) { print "session ended\\n"; exit }
}
print "session goes on\\n";
kill KILL => -$$;
`;

test.runIf(process.arch === "x64")(
  "what a command made a child of its parent's does not keep the session",
  () => {
    const { stdout, stderr } = spawnSync(
      "unshare",
      [
        ...["--user", "--map-root-user", "setsid", "--wait"],
        ...["perl", "-e", reapsItsOwnAlone],
        ...[join(import.meta.dirname, "supervise.pl"), process.arch],
      ],
      { encoding: "utf8" },
    );
    expect(stdout, stderr).toBe("left\nended with 3\nsession ended\n");
  },
);

test("a command whose output nobody reads any more ends as at any pipe", () => {
  const script = join(import.meta.dirname, "supervise.pl");
  const { stdout, signal } = spawnSync(
    "sh",
    ["-c", 'perl "$1" "$2" -- /usr/bin/yes | head -n 1', "sh"].concat(
      script,
      process.arch,
    ),
    { encoding: "utf8", timeout: 20_000, killSignal: "SIGKILL" },
  );
  expect({ stdout, signal }).toEqual({ stdout: "y\n", signal: null });
});

test("a process that got the number of a session's is not entered", () => {
  const script = join(import.meta.dirname, "supervise.pl");
  const enter = (start: string) =>
    spawnSync(
      "perl",
      [
        ...[
          "-w",
          script,
          process.arch,
          "enter",
          `user:${process.pid}:${start}`,
        ],
        ...["--", "/bin/true"],
      ],
      { encoding: "utf8" },
    );
  expect(enter("1")).toMatchObject({
    status: 125,
    stderr: "the session is gone: its process number is another's\n",
  });
  // The right one is let through, up to the kernel: nobody enters the user namespace that it is in.
  expect(enter(startOf(process.pid) ?? "").stderr).toMatch(
    /^cannot enter the session \(user\): /,
  );
});
