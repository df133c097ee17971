// What python3-debian and dpkg read in the same files.
import { spawnSync } from "node:child_process";

/** Each prints a JSON line for each file named on its standard input. */
const python = `
import json, sys
from debian.deb822 import Changes, Dsc
def words(text):
    return [word for word in text.replace(",", " ").split() if word]
for path in sys.stdin.read().split("\\n"):
    if not path: continue
    kind = Changes if path.endswith(".changes") else Dsc
    try:
        with open(path, "rb") as file:
            found = kind(file)
        sums = sorted([one["name"], one["size"], one["sha256"]] for one in found["Checksums-Sha256"])
        files = sorted([one["name"], one["size"]] for one in found["Files"])
        print(json.dumps({"source": found["Source"], "version": found["Version"], "binary": words(found.get("Binary", "")), "sums": sums, "files": files}))
    except Exception as error:
        print(json.dumps({"error": repr(error)}))
`;
const perl = `
use strict; use warnings; use JSON::PP; use Dpkg::Control; use Dpkg::Checksums;
my $json = JSON::PP->new->canonical;
while (my $path = <STDIN>) {
  chomp $path;
  my $line = eval {
    my $type = $path =~ /\\.changes$/ ? CTRL_FILE_CHANGES : CTRL_PKG_SRC;
    my $found = Dpkg::Control->new(type => $type);
    $found->load($path);
    my $sums = Dpkg::Checksums->new();
    $sums->add_from_control($found);
    my @sums = map { [$_, $sums->get_size($_) . '', $sums->get_checksum($_, 'sha256')] } sort $sums->get_files();
    my @files = map { [@$_[0, 1]] } @sums;
    my @binary = grep { length } split /[\\s,]+/, $found->{Binary} // '';
    $json->encode({source => $found->{Source}, version => $found->{Version}, binary => \\@binary, sums => \\@sums, files => \\@files});
  };
  print $line // $json->encode({error => "$@"}), "\\n";
}
`;

const others = [
  { name: "python3-debian", argv: ["/usr/bin/python3", "-c", python] },
  { name: "dpkg", argv: ["/usr/bin/perl", "-e", perl] },
];

/**
 * What each of them reads in the files, by its name; null for one that is not installed. An answer
 * with an error is one that it does not take.
 */
export function readByOthers(paths) {
  return Object.fromEntries(
    others.map(({ name, argv: [file, ...args] }) => {
      const input = paths.map((path) => `${path}\n`).join("");
      const env = { ...process.env, LC_ALL: "C.UTF-8" };
      const ended = spawnSync(file, args, {
        ...{ input, env, encoding: "utf8", maxBuffer: 1024 ** 3 },
      });
      if (ended.status !== 0) {
        const missing = /No module named|Can't locate/.test(ended.stderr ?? "");
        if (ended.error?.code === "ENOENT" || missing) return [name, null];
        throw new Error(`${name}: ${ended.stderr}`);
      }
      // Of no file nothing is said.
      const lines = ended.stdout.split("\n").filter((line) => line !== "");
      return [name, lines.map((line) => JSON.parse(line))];
    }),
  );
}
