import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** A source package small enough to be written in a test: it needs nothing but build-essential. */
export interface TinyPackage {
  readonly source: string;
  readonly version: string;
  readonly buildDepends?: string;
  /** Rules-Requires-Root; default: no. */
  readonly needsRoot?: "binary-targets";
  /** Binary packages: name, and what debian/control says of it besides. */
  readonly binaries: Readonly<Record<string, string>>;
  /** Makefile lines of the build, and of the installation into debian/NAME of each binary. */
  readonly build: readonly string[];
  readonly install: readonly string[];
  /** Further files by path; one that begins with `#!` becomes executable. */
  readonly files: Readonly<Record<string, string>>;
}

/** A C program that greets, in one binary package of the source's name. */
export function greeter(
  source: string,
  version: string,
  files: Readonly<Record<string, string>> = {},
): TinyPackage {
  return {
    source,
    version,
    binaries: { [source]: "Architecture: any" },
    build: ["gcc -g -O2 -o greet greet.c"],
    install: [`install -D greet debian/${source}/usr/bin/${source}`],
    files: {
      "greet.c": `#include <stdio.h>\nint main(void) { puts("greetings from ${source}"); return 0; }\n`,
      ...files,
    },
  };
}

/** Writes a native source package into a folder made new, and returns the path of its .dsc. */
export async function writeSource(
  folder: string,
  tiny: TinyPackage,
): Promise<string> {
  const tree = join(folder, "tree");
  const names = Object.keys(tiny.binaries);
  const files: Record<string, string> = {
    // Only the old format takes a native package whose version has a revision.
    "debian/source/format": tiny.version.includes("-")
      ? "1.0\n"
      : "3.0 (native)\n",
    "debian/changelog": `${tiny.source} (${tiny.version}) bookworm; urgency=medium

  * A test.

 -- A Tester <tester@example.com>  Thu, 01 Jan 2026 00:00:00 +0000
`,
    "debian/control": `Source: ${tiny.source}
Section: misc
Priority: optional
Maintainer: A Tester <tester@example.com>
Rules-Requires-Root: ${tiny.needsRoot ?? "no"}
Standards-Version: 4.6.2
${tiny.buildDepends === undefined ? "" : `Build-Depends: ${tiny.buildDepends}\n`}
${Object.entries(tiny.binaries)
  .map(
    ([name, fields]) => `Package: ${name}
${fields}
Description: tiny package of a test
 It is there to be built and tested.
`,
  )
  .join("\n")}`,
    "debian/rules": `#!/usr/bin/make -f
build build-arch build-indep:
${tiny.build.map((line) => `\t${line}\n`).join("")}
clean:
\trm -rf debian/files debian/*.substvars
binary-indep:
binary binary-arch: build
${[
  ...tiny.install,
  ...names.flatMap((name) => [
    `mkdir -p debian/${name}/DEBIAN`,
    `dpkg-gencontrol -p${name} -Pdebian/${name}`,
    `dpkg-deb --root-owner-group --build debian/${name} ..`,
  ]),
]
  .map((line) => `\t${line}\n`)
  .join("")}
.PHONY: build build-arch build-indep clean binary binary-arch binary-indep
`,
    ...tiny.files,
  };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(tree, path)), { recursive: true });
    await writeFile(join(tree, path), text);
    if (text.startsWith("#!")) await chmod(join(tree, path), 0o755);
  }
  await run("dpkg-source", ["-b", "tree"], { cwd: folder });
  return join(folder, `${tiny.source}_${tiny.version}.dsc`);
}
