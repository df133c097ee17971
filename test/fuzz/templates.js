// Texts as the tools write them, made with names and numbers that differ.
import { createHash } from "node:crypto";

const names = ["hello", "libfoo2.0", "g++-12", "a0", "0ad", "python3-x.y"];
const versions = [
  ...["1", "1.0-1", "2:1.2.3~rc1+dfsg-4ubuntu1~22.04.1", "0~", "1-1-1"],
  ...["20240101", "1.0+really0.9-0.1", "0:0-0", "3.11.2-1+b2"],
];

const hash = (kind, text) => createHash(kind).update(text).digest("hex");

/** A source package: its name, version and files with what is in them. */
export function makeSource(random) {
  const source = random.pick(names);
  const version = random.pick(versions);
  const plain = version.slice(version.indexOf(":") + 1);
  const suffixes = random.pick([
    [".tar.xz"],
    [".orig.tar.gz", ".debian.tar.xz"],
    [".orig.tar.xz", ".orig.tar.xz.asc", ".orig-x.tar.gz", ".debian.tar.xz"],
    [".orig.tar.gz", ".diff.gz"],
  ]);
  const files = suffixes.map((suffix) => ({
    name: `${source}_${plain}${suffix}`,
    contents: `${suffix} ${random.whole(0, 1000)}`,
  }));
  return { source, version, plain, files };
}

function lists(files, words) {
  const lines = (kind, extra) =>
    files
      .map(
        ({ name, contents }) =>
          ` ${hash(kind, contents)} ${Buffer.byteLength(contents)} ${extra}${name}\n`,
      )
      .join("");
  return `Checksums-Sha1:\n${lines("sha1", "")}Checksums-Sha256:\n${lines("sha256", "")}Files:\n${lines("md5", words)}`;
}

export function dscText(random, { source, version, files }) {
  const binaries = random.pick([
    source,
    `${source}, ${source}-dev`,
    `${source},\n lib${source}1, ${source}-udeb`,
  ]);
  const builds = random.pick([
    "debhelper-compat (= 13)",
    "debhelper (>= 9~), libfoo-dev [linux-any] <!nocheck>, a | b (<< 2) | c:native",
    "\n debhelper-compat (= 13),\n python3:any (>= 3.9) <!x !y> <z>,\n",
  ]);
  return `Format: 3.0 (quilt)
Source: ${source}
Binary: ${binaries}
Architecture: any all
Version: ${version}
Maintainer: Dév Eloper <dev@example.com>
Uploaders: A <a@example.com>, "B, C" <b@example.com>
Homepage: https://example.com/
Standards-Version: 4.6.2
Vcs-Git: https://user:password@example.com/x.git
Testsuite: autopkgtest, autopkgtest-pkg-python
Build-Depends: ${builds}
Build-Conflicts: x (= 1)
Package-List:
 ${source} deb devel optional arch=any
 ${source}-udeb udeb debian-installer optional arch=any
${lists(files, "")}`;
}

export function changesText(random, { source, version, files }) {
  const distribution = random.pick(["bookworm", "bookworm-proposed"]);
  return `Format: 1.8
Date: Thu, 01 Jan 2026 00:00:00 +0000
Source: ${source}
Architecture: source
Version: ${version}
Distribution: ${distribution}
Urgency: medium
Maintainer: Dév Eloper <dev@example.com>
Changed-By: ${random.pick(["Dév Eloper <dev@example.com>", "x"])}
Closes: 1 2
Changes:
 ${source} (${version}) ${distribution}; urgency=medium
 .
   * Something; it's \ufffd "new" <b>.
   \u00a0
${lists(files, "devel optional ")}`;
}

/** The two control files of an upload. */
export function makeUpload(random) {
  const made = makeSource(random);
  const dsc = dscText(random, made);
  const dscName = `${made.source}_${made.plain}.dsc`;
  const files = [{ name: dscName, contents: dsc }, ...made.files];
  return {
    ...made,
    dscName,
    dsc,
    changes: changesText(random, { ...made, files }),
  };
}

const packages = `Package: hello
Source: hello-src (1.0)
Version: 2:1.0-1+b1
Architecture: amd64
Maintainer: A <a@example.com>
Installed-Size: 280
Depends: libc6 (>= 2.34), x | y
Provides: greeter (= 1.0), z
Essential: yes
Filename: pool/main/h/hello/hello_1.0-1+b1_amd64.deb
Size: 53080
SHA256: ${"ab".repeat(32)}
Description: friendly
 More of it.
 .
 The end.

Package: lib
Version: 1
Architecture: all
Filename: pool/main/l/lib/lib_1_all.deb
Size: 1
SHA256: ${"cd".repeat(32)}
`;
const sources = `Package: hello
Binary: hello, hello-dev
Version: 1.0-1
Directory: pool/main/h/hello
Checksums-Sha256:
 ${"ab".repeat(32)} 1200 hello_1.0-1.dsc
 ${"cd".repeat(32)} 99 hello_1.0.orig.tar.gz
`;
const release = `Origin: x
Label: x
Suite: bookworm
Codename: bookworm
Date: Thu, 01 Jan 2026 00:00:00 UTC
MD5Sum:
 ${"ab".repeat(16)} 100 main/binary-amd64/Packages
SHA256:
 ${"ab".repeat(32)} 100 main/binary-amd64/Packages
 ${"cd".repeat(32)} 100 main/source/Sources
`;
const apt = `Reading package lists...
Building dependency tree...
Some packages could not be installed. This may mean that you have
The following packages have unmet dependencies:
 builddeps:x : Depends: libnone-dev but it is not installable
 hello : Depends: libc6 (>= 3) but 2.36-9 is to be installed
E: Version '9' for 'hello' was not found
dpkg: error processing package x (--configure):
E: Failed to fetch http://user:pw@deb.debian.org/x  404  Not Found [IP: 1.2.3.4 80]
E: Unable to correct problems, you have held broken packages.
`;
const uris = `'file:/run/ubuntu-ci/repo/ci_pool-001/pool/main/h/hello/hello_1.0-1_amd64.deb' hello_2%3a1.0-1_amd64.deb 53080 SHA256:${"ab".repeat(32)}
'http://deb.debian.org/x/lib_1_all.deb' lib_1_all.deb 10 SHA256:${"cd".repeat(32)}
'http://deb.debian.org/x/y_1_amd64.udeb' y_1_amd64.udeb 10 
`;
const buildLog = `dpkg-buildpackage: info: source package hello
 debian/rules binary
dh binary
gcc -o hello hello.c
hello.c:3:1: error: expected ';' before '}' token
make[1]: *** [Makefile:3: all] Error 1
dh_auto_build: error: make -j1 returned exit code 2
cp: No space left on device
FAIL: test1
export PASSWORD=hunter2 Authorization: Basic aGVsbG86d29ybGQ=
`;
const sbuild = `${buildLog}
+------------------------------------------------------------------------------+
| Summary                                                                      |
Build Architecture: amd64
Fail-Stage: install-deps
Package: hello
Status: attempted
Version: 1.0-1
`;
const testsControl = `# a comment
Tests: smoke, upstream-tests
  regressions
Depends: @, python3 (>= 3.9), x [!armhf] | y,
Restrictions: allow-stderr, flaky

Test-Command: hello --version # said aloud
Depends: hello
Features: test-name=greeting
`;
const summary = `smoke                PASS
upstream-tests       FAIL non-zero exit status 1
regressions          SKIP (exit status 77 and marked as skippable)
command1             FLAKY badpkg
blame: hello
badpkg: Test dependencies are unsatisfiable.
testbed failure: unexpected eof from the testbed
`;
const testLog = `autopkgtest [10:00:00]: starting date
autopkgtest [10:00:01]: test smoke: preparing testbed
autopkgtest [10:00:02]: test smoke: [-----------------------
autopkgtest [10:00:03]: test smoke: -----------------------]
smoke                PASS
`;
const listing = `hello\t2.10-3\tamd64\tii 
lib\t1\tall\tii 
gone\t1\tall\trc 
libc6:i386\t2.36\ti386\tii 
`;
const secrets = `https://user:password@example.com/ Authorization: Bearer abcdefghijkl
-----BEGIN OPENSSH PRIVATE KEY-----
abc
-----END OPENSSH PRIVATE KEY-----
api_key = "0123456789" token:abc PASSPHRASE=x
`;
const people = [
  ...["Dév Eloper <dev@example.com>", '"A, B" <a@example.com> ', "<<a>>"],
  ...["dev@example.com", "A <a@example.com> (x)", "hello (1.0-1)", "x ((1))"],
];
const relations = [
  "debhelper (>= 9~), libfoo-dev [linux-any] <!nocheck>, a | b (<< 2) | c:native",
  "a <!x !y> <z>, b [!amd64 !i386], c:any (= 1:1.0-1), d [any-amd64] <x>",
];
const logLines = [
  '{"at":"2026-01-01T00:00:00.000Z","id":1,"what":"passed","why":null}',
];

const fingerprint = "0123456789ABCDEF0123456789ABCDEF01234567";
/** A signature packet of version 4: its issuer's fingerprint hashed, its key id beside that. */
const signature = `882e040001080017162104${fingerprint}000a0910${fingerprint.slice(-16)}0000000101`;
/** A public key of version 4 with a subkey. */
const publicKey = "98080400000000010101b8080400000000010101";
const gpgListing = `pub:u:4096:1:89ABCDEF01234567:1700000000:::u:::scESC::::::23::0:
fpr:::::::::${fingerprint}:
uid:u::::1700000000::HASH::Dev \\x3a <dev@example.com>::::::::::0:
sub:u:256:22:0123456789ABCDEF:1700000000::::::s:::::ed25519::
fpr:::::::::${fingerprint}:
`;
const gpgvStatus = `[GNUPG:] NEWSIG
[GNUPG:] KEY_CONSIDERED ${fingerprint} 0
[GNUPG:] PLAINTEXT 74 0 
[GNUPG:] GOODSIG 89ABCDEF01234567 Dev <dev@example.com>
[GNUPG:] VALIDSIG ${fingerprint} 2026-01-01 1767225600 0 4 0 1 10 01 ${fingerprint}
`;
const files = `hello_1.0-1.dsc
hello_1.0.orig.tar.gz
evil.html
a.php.dsc
hello_1.0-1_amd64.build.log
.htaccess`;

const policies = [
  `# comment
rules:
  - requirement: built
    series: ["*"]
    architectures: [amd64]
    sources: &all ["*", "lib?"]
    counts: { fail: fail, missing: missing }
  - requirement: tests
    required: false
    series: [bookworm]
    architectures: ["*"]
    sources: *all
    tests: [smoke*]
`,
  '{"rules": [{"requirement": "image", "series": ["*"], "architectures": ["*"], "counts": {"fail": "pass", "missing": "missing"}}]}',
  `rules:
  - requirement: tests
    series: ["*"]
    architectures: ["*"]
    sources: ["*"]
    tests: ["*"]
    counts:
      pass: pass
      skip: pass
      flaky: fail
      neutral: pass
      fail: fail
      missing: passes
`,
];

function signed(text) {
  const armour = Buffer.from(signature, "hex").toString("base64");
  return `-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n${text}-----BEGIN PGP SIGNATURE-----\n\n${armour}\n=abcd\n-----END PGP SIGNATURE-----\n`;
}

/** Texts of each kind, by its name. */
export function makeTemplates(random) {
  const uploads = Array.from({ length: 24 }, () => makeUpload(random));
  return {
    changes: uploads.flatMap(({ changes }) => [
      changes,
      changes,
      signed(changes),
    ]),
    dsc: uploads.map(({ dsc }) => dsc),
    deb822: [
      packages,
      sources,
      release,
      ...uploads.slice(0, 4).map((one) => one.dsc),
    ],
    index: [packages, sources, release],
    ...{ packages: [packages], apt: [apt, uris], log: [buildLog, sbuild, apt] },
    ...{ uris: [uris], sbuild: [sbuild], tests: [testsControl] },
    ...{ summary: [summary], events: testLog.split("\n"), listing: [listing] },
    ...{ secrets: [secrets, buildLog], person: people, relations, logLines },
    version: versions,
    signed: uploads.slice(0, 4).map(({ changes }) => signed(changes)),
    signature: [signature, publicKey],
    ...{ gpg: [gpgListing, gpgvStatus], files: [files], policies },
  };
}
