import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

import { runOk } from "./process.js";

/**
 * A source package of an attack: native, and so small that it needs nothing but what every base has.
 *
 * @typedef {object} Package
 * @property {string} source
 * @property {string} [version] default 1
 * @property {string} [buildDepends]
 * @property {string} [build] shell that debian/rules runs, as the plain user of a build
 * @property {Binary[]} [binaries] default: one of the source's name
 * @property {Test[]} [tests]
 * @property {Record<string, string | Buffer>} [files] further files of the source
 * @property {Record<string, string>} [links] links of the source, by path
 *
 * @typedef {object} Binary
 * @property {string} name
 * @property {string} [version]
 * @property {string} [fields] lines of debian/control
 * @property {string} [postinst] shell, run by root when it is installed
 * @property {Record<string, string>} [files] installed files by path
 *
 * @typedef {object} Test
 * @property {string} name
 * @property {string} script
 * @property {boolean} [root]
 * @property {boolean} [fresh] the next test gets a testbed of its own
 */

const maintainer = "A Tester <tester@example.com>";

/** Writes the source of a package into a folder made new below `folder`; returns its _source.changes. */
export async function writePackage(folder, series, given) {
  const one = { version: "1", binaries: [{ name: given.source }], ...given };
  const work = mkdtempSync(join(folder, `${one.source}-`));
  const tree = join(work, "tree");
  for (const [path, text] of Object.entries(filesOf(one, series))) {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
    if (Buffer.from(text).subarray(0, 2).toString() === "#!")
      chmodSync(join(tree, path), 0o755);
  }
  for (const [path, target] of Object.entries(one.links ?? {}))
    symlinkSync(target, join(tree, path));
  await runOk(["dpkg-source", "--build", "tree"], { cwd: work });
  const changes = join(work, `${one.source}_${one.version}_source.changes`);
  writeFileSync(
    changes,
    await runOk(["dpkg-genchanges", "-q", "--build=source", "-sa"], {
      cwd: tree,
    }),
  );
  return changes;
}

function filesOf(one, series) {
  const { source, version, buildDepends, binaries, tests = [] } = one;
  return {
    "debian/source/format": "3.0 (native)\n",
    "debian/changelog": `${source} (${version}) ${series}; urgency=medium\n\n  * An attack.\n\n -- ${maintainer}  Thu, 01 Jan 2026 00:00:00 +0000\n`,
    "debian/control": [
      `Source: ${source}\nSection: misc\nPriority: optional\nMaintainer: ${maintainer}\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n${buildDepends === undefined ? "" : `Build-Depends: ${buildDepends}\n`}`,
      ...binaries.map(
        ({ name, fields = "" }) =>
          `Package: ${name}\nArchitecture: all\n${fields}Description: package of an attack\n It is there to be kept in its place.\n`,
      ),
    ].join("\n"),
    "debian/rules": rules(binaries),
    "debian/build.sh": one.build ?? ":\n",
    ...Object.fromEntries(
      binaries.flatMap(({ name, postinst, files = {} }) => [
        ...(postinst === undefined
          ? []
          : [
              [
                `debian/parts/${name}/DEBIAN/postinst`,
                `#!/bin/sh\n${postinst}`,
              ],
            ]),
        [`debian/parts/${name}/usr/share/doc/${name}/copyright`, "None.\n"],
        ...Object.entries(files).map(([path, text]) => [
          `debian/parts/${name}/${path}`,
          text,
        ]),
      ]),
    ),
    ...(tests.length === 0 ? {} : { "debian/tests/control": control(tests) }),
    ...Object.fromEntries(
      tests.map(({ name, script }) => [
        `debian/tests/${name}`,
        `#!/bin/sh\nexec 2>&1\n${script}`,
      ]),
    ),
    ...one.files,
  };
}

function control(tests) {
  return tests
    .map(({ name, root = false, fresh = false }) => {
      const restrictions = [
        "allow-stderr",
        ...(root ? ["needs-root"] : []),
        ...(fresh ? ["breaks-testbed"] : []),
      ].join(", ");
      return `Tests: ${name}\nDepends:\nRestrictions: ${restrictions}\n`;
    })
    .join("\n");
}

function rules(binaries) {
  const lines = binaries.flatMap(({ name, version }) => [
    `cp -r debian/parts/${name} debian/${name}`,
    `mkdir -p debian/${name}/DEBIAN`,
    // The umask may be anybody's.
    `chmod -R u=rwX,go=rX debian/${name}`,
    `dpkg-gencontrol -p${name} -Pdebian/${name}${version === undefined ? "" : ` -v${version}`}`,
    `dpkg-deb --root-owner-group --build debian/${name} ..`,
  ]);
  return `#!/usr/bin/make -f
build build-arch build-indep:
	sh debian/build.sh
clean:
	rm -rf debian/files ${binaries.map(({ name }) => `debian/${name}`).join(" ")}
binary-arch:
binary binary-indep: build
${lines.map((line) => `\t${line}\n`).join("")}
.PHONY: build build-arch build-indep clean binary binary-arch binary-indep
`;
}

/** Shell that proves in the log that it ran, and lets what runs it go on however it ends. */
export function proved(id, script) {
  return `echo "ATTACK ${id} begins"\n(\n${script}\n) </dev/null 2>&1\necho "ATTACK ${id} ended with $?"\n`;
}

/** Whether a log proves that an attack's own code ran. */
export function isProved(id, log) {
  return log.includes(`ATTACK ${id} begins`);
}
