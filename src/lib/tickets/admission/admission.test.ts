import { createHash, randomBytes } from "node:crypto";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  afterAll,
  beforeAll,
  beforeEach,
  describe,
  expect,
  test,
} from "vitest";

import { GpgHome } from "../../../../test/support/gpg-home.ts";
import type { UbuntuCiError } from "../../domain/error.ts";
import { admit } from "./admission.ts";
import type { AdmissionPolicy } from "./policy.ts";
import { adviceText } from "../../host/command-line.ts";

let root: string;
let folder: string;
let policy: AdmissionPolicy;
const homes = {} as Record<"dev" | "stranger", GpgHome>;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "admit-"));
  chmodSync(root, 0o755);
  mkdirSync(join(root, "uploaders"));
  for (const name of ["dev", "stranger"] as const)
    homes[name] = new GpgHome(join(root, name));
  const key = homes.dev.makeKey("Dev <dev@example.com>");
  homes.stranger.makeKey("Stranger <stranger@example.com>");
  writeFileSync(join(root, `uploaders/${key}.gpg`), homes.dev.publicKey(key));
}, 60_000);

afterAll(() => {
  homes.dev.stop();
  homes.stranger.stop();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  folder = mkdtempSync(join(root, "upload-"));
  policy = {
    knownSeries: ["bookworm"],
    series: null,
    signatures: "required",
    maxFileBytes: 1_000_000,
    maxFiles: 20,
    maxTotalBytes: 2_000_000,
    uploaders: join(root, "uploaders"),
    suites: { "SERIES-proposed": "SERIES", stable: "bookworm", next: "trixie" },
    architecture: "amd64",
    archiveBinary: () => Promise.resolve(null),
    archiveFile: () => Promise.resolve(null),
    otherFileInFlight: () => null,
    archiveVersion: () => null,
    inFlight: () => null,
  };
});

interface Upload {
  source?: string;
  version?: string;
  distribution?: string;
  architecture?: string;
  dsc?: (text: string) => string;
  changes?: (text: string) => string;
  extra?: Readonly<Record<string, string>>;
  sign?: "dev" | "stranger" | "nobody";
}

const entry = (path: string, name: string) => {
  const data = readFileSync(path);
  const hash = (kind: string) => createHash(kind).update(data).digest("hex");
  return {
    name,
    size: data.length,
    md5: hash("md5"),
    sha1: hash("sha1"),
    sha256: hash("sha256"),
  };
};

/** Writes an upload as dpkg-genchanges does, and signs it; returns the path of its .changes. */
function upload({
  source = "hello",
  version = "1.0-2",
  distribution = "bookworm",
  architecture = "source",
  ...given
}: Upload = {}): string {
  const tarball = `${source}_${version}.tar.xz`;
  writeFileSync(join(folder, tarball), "not looked into");
  const lists = (files: ReturnType<typeof entry>[], words: string) =>
    [
      `Checksums-Sha1:\n${files.map((f) => ` ${f.sha1} ${f.size} ${f.name}\n`).join("")}`,
      `Checksums-Sha256:\n${files.map((f) => ` ${f.sha256} ${f.size} ${f.name}\n`).join("")}`,
      `Files:\n${files.map((f) => ` ${f.md5} ${f.size} ${words}${f.name}\n`).join("")}`,
    ].join("");
  const dscName = `${source}_${version}.dsc`;
  const dsc = `Format: 3.0 (native)\nSource: ${source}\nBinary: ${source}, ${source}-udeb\nArchitecture: any\nVersion: ${version}\nMaintainer: Dev <dev@example.com>\nPackage-List:\n ${source} deb devel optional arch=any\n ${source}-udeb udeb debian-installer optional arch=any\n${lists([entry(join(folder, tarball), tarball)], "")}`;
  writeFileSync(join(folder, dscName), given.dsc?.(dsc) ?? dsc);
  const files = [dscName, tarball].map((name) =>
    entry(join(folder, name), name),
  );
  for (const [name, text] of Object.entries(given.extra ?? {})) {
    writeFileSync(join(folder, name), text);
    files.push(entry(join(folder, name), name));
  }
  const changes = `Format: 1.8\nDate: Thu, 01 Jan 2026 00:00:00 +0000\nSource: ${source}\nArchitecture: ${architecture}\nVersion: ${version}\nDistribution: ${distribution}\nUrgency: medium\nMaintainer: Dev <dev@example.com>\nChanged-By: Dev <dev@example.com>\nChanges:\n ${source} (${version}) ${distribution}; urgency=medium\n${lists(files, "devel optional ")}`;
  const path = join(folder, `${source}_${version}_source.changes`);
  writeFileSync(path, given.changes?.(changes) ?? changes);
  if (given.sign !== "nobody") sign(path, given.sign ?? "dev");
  return path;
}

function sign(path: string, who: "dev" | "stranger"): void {
  writeFileSync(path, homes[who].clearSign(readFileSync(path, "utf8")));
}

/** Has the archive hold one file of hello's. */
function inArchive(
  wanted: string,
  file: { readonly path: string; readonly sha256: string },
): void {
  policy = {
    ...policy,
    archiveFile: (source, name) =>
      Promise.resolve(source === "hello" && name === wanted ? file : null),
  };
}

/** The problems of a refusal, as lines; also checks that nothing was left behind. */
async function problemsOf(...paths: string[]): Promise<string[]> {
  const staging = join(folder, "staging");
  const thrown: unknown = await admit(paths, policy, staging).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toMatchObject({ name: "UbuntuCiError", exitCode: 2 });
  expect(existsSync(staging)).toBe(false);
  return (thrown as UbuntuCiError).problems.map(
    ({ where, field, message }) =>
      `${where}${field === undefined ? "" : `: ${field}`}: ${adviceText(message)}`,
  );
}

describe("admission", () => {
  test("admits a signed upload, with what it says and who signed it", async () => {
    const [admitted] = await admit([upload()], policy, join(folder, "staging"));
    expect(admitted).toMatchObject({
      source: "hello",
      version: "1.0-2",
      series: "bookworm",
      changedByEmail: "dev@example.com",
      binaries: ["hello"],
      dscName: "hello_1.0-2.dsc",
    });
    expect(admitted?.signer).toMatch(/^[0-9A-F]{40}$/);
    expect(admitted?.files.map(({ name }) => name)).toEqual([
      "hello_1.0-2_source.changes",
      "hello_1.0-2.dsc",
      "hello_1.0-2.tar.xz",
    ]);
  });

  test.each(["bookworm-proposed", "stable"])(
    "takes %s for the series that the table of suites says",
    async (distribution) => {
      const [pocket] = await admit(
        [upload({ distribution })],
        policy,
        join(folder, "a"),
      );
      expect(pocket?.series).toBe("bookworm");
    },
  );

  test("takes the series from the command line", async () => {
    const [given] = await admit(
      [upload({ distribution: "unstable" })],
      { ...policy, series: "bookworm" },
      join(folder, "b"),
    );
    expect(given?.series).toBe("bookworm");
  });

  test("blanks that are none for deb822, and U+FFFD, are text like other text", async () => {
    const line = " \u00a0\n \u3000\n  \ufffd \u00a0\n";
    const [admitted] = await admit(
      [
        upload({
          changes: (text) => text.replace("Checksums-Sha1", `${line}$&`),
        }),
      ],
      policy,
      join(folder, "staging"),
    );
    expect(admitted?.version).toBe("1.0-2");
  });

  test("takes the tarball that a link in the upload's folder leads to, as uscan makes it", async () => {
    const path = upload();
    const tarball = join(folder, "hello_1.0-2.tar.xz");
    renameSync(tarball, join(folder, "hello-1.0.tar.xz"));
    symlinkSync("hello-1.0.tar.xz", tarball);
    const [admitted] = await admit([path], policy, join(folder, "staging"));
    const [, , copy] = admitted?.files ?? [];
    expect(copy?.name).toBe("hello_1.0-2.tar.xz");
    expect(lstatSync(copy?.path ?? "").isFile()).toBe(true);
    expect(readFileSync(copy?.path ?? "", "utf8")).toBe("not looked into");
  });

  test("takes an upstream tarball that is not uploaded from the archive", async () => {
    const path = upload({
      changes: (text) => text.replaceAll(/^ .*tar\.xz\n/gm, ""),
    });
    const kept = join(folder, "archive/hello_1.0-2.tar.xz");
    mkdirSync(join(folder, "archive"));
    renameSync(join(folder, "hello_1.0-2.tar.xz"), kept);
    expect(await problemsOf(path)).toEqual([
      "hello_1.0-2.dsc: Files: hello_1.0-2.tar.xz is missing",
    ]);
    const { sha256 } = entry(kept, "x");
    inArchive("hello_1.0-2.tar.xz", { path: kept, sha256 });
    const [admitted] = await admit([path], policy, join(folder, "admitted"));
    expect(admitted?.files.map(({ name }) => name)).toEqual([
      "hello_1.0-2_source.changes",
      "hello_1.0-2.dsc",
      "hello_1.0-2.tar.xz",
    ]);
    // What the archive says it has is not believed either.
    writeFileSync(kept, "not looked INTO");
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining(
        "hello_1.0-2.dsc: Checksums-Sha256: hello_1.0-2.tar.xz has another checksum",
      ),
    ]);
  });

  test("an unsigned upload is admitted where signatures are optional, a wrongly signed one is not", async () => {
    policy = { ...policy, signatures: "optional" };
    const [admitted] = await admit(
      [upload({ sign: "nobody" })],
      policy,
      join(folder, "admitted"),
    );
    expect(admitted?.signer).toBeNull();
    const path = upload();
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("urgency=medium", "urgency=hugely"),
    );
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining("signature: does not match the contents"),
    ]);
  });
});

describe("admission refuses", () => {
  test("names of one character, of a source and of a binary package", async () => {
    expect(await problemsOf(upload({ source: "a" }))).toEqual([
      expect.stringContaining(
        'a_1.0-2_source.changes: Source: "a" is not the name of a source package',
      ),
      expect.stringContaining("a_1.0-2.dsc: Source"),
      expect.stringContaining("a_1.0-2.dsc: Binary"),
    ]);
    const path = upload({
      dsc: (text) => text.replace("Binary: hello,", "Binary: hello, b,"),
    });
    expect(await problemsOf(path)).toEqual([
      'hello_1.0-2.dsc: Binary: "b" is not the name of a binary package',
    ]);
  });

  test("a missing signature", async () => {
    expect(await problemsOf(upload({ sign: "nobody" }))).toEqual([
      expect.stringContaining("_source.changes: signature: is missing"),
    ]);
  });

  test("a signature of a key no uploader has", async () => {
    expect(await problemsOf(upload({ sign: "stranger" }))).toEqual([
      expect.stringContaining("signature: is of a key that no uploader has"),
    ]);
  });

  test("a .changes that was changed after it was signed", async () => {
    const path = upload();
    writeFileSync(
      path,
      readFileSync(path, "utf8").replace("Urgency: medium", "Urgency: high"),
    );
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining("signature: does not match the contents"),
    ]);
  });

  test("a truncated .changes", async () => {
    const path = upload();
    writeFileSync(path, readFileSync(path).subarray(0, 300));
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining("the signed message is cut short"),
    ]);
  });

  test("a file with another checksum, and one with another size", async () => {
    const path = upload();
    writeFileSync(join(folder, "hello_1.0-2.tar.xz"), "not looked INTO");
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining(
        "Checksums-Sha256: hello_1.0-2.tar.xz has another checksum",
      ),
    ]);
    writeFileSync(
      join(folder, "hello_1.0-2.tar.xz"),
      "longer than it was before",
    );
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining("Files: hello_1.0-2.tar.xz has 25 bytes, not 15"),
    ]);
  });

  test("a missing file", async () => {
    const path = upload();
    rmSync(join(folder, "hello_1.0-2.tar.xz"));
    expect(await problemsOf(path)).toEqual([
      `${path}: Files: hello_1.0-2.tar.xz is missing`,
    ]);
  });

  test.each(["../elsewhere", "nothing", ".", "hello_1.0-2.tar.xz"])(
    "a link to %s instead of a file",
    async (target) => {
      const path = upload();
      const tarball = join(folder, "hello_1.0-2.tar.xz");
      renameSync(tarball, join(root, "elsewhere"));
      symlinkSync(target, tarball);
      expect(await problemsOf(path)).toEqual([
        `${path}: Files: hello_1.0-2.tar.xz is a link out of its folder or to nothing: put the file itself there`,
      ]);
    },
  );

  test("a link to another uploader's file by way of a folder", async () => {
    const path = upload();
    const tarball = join(folder, "hello_1.0-2.tar.xz");
    mkdirSync(join(root, "others"), { recursive: true });
    renameSync(tarball, join(root, "others/tarball"));
    symlinkSync(join(root, "others"), join(folder, "here"));
    symlinkSync("here/tarball", tarball);
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining("is a link out of its folder"),
    ]);
  });

  test("a file whose name the archive has with other contents", async () => {
    inArchive("hello_1.0-2.tar.xz", { path: "x", sha256: "0".repeat(64) });
    expect(await problemsOf(upload())).toEqual([
      `hello_1.0-2.dsc: Checksums-Sha256: hello_1.0-2.tar.xz is in the archive with other contents (SHA-256 ${"0".repeat(64)}): take that file, or raise the version`,
    ]);
    inArchive("hello_1.0-2.dsc", { path: "x", sha256: "0".repeat(64) });
    expect(await problemsOf(upload())).toEqual([
      expect.stringContaining(
        "hello_1.0-2.dsc: hello_1.0-2.dsc is in the archive with other contents",
      ),
    ]);
  });

  test("a source of which nothing is built here", async () => {
    const only = (architecture: string) => (text: string) =>
      text.replace("Architecture: any", `Architecture: ${architecture}`);
    expect(await problemsOf(upload({ dsc: only("i386 any-arm64") }))).toEqual([
      "hello_1.0-2.dsc: Architecture: is i386 any-arm64: there is nothing to build on amd64, the architecture of this installation",
    ]);
    for (const architecture of ["i386 all", "linux-any", "any-amd64"]) {
      const path = upload({ dsc: only(architecture) });
      const staging = join(folder, "staging");
      expect(await admit([path], policy, staging)).toHaveLength(1);
      rmSync(staging, { recursive: true });
    }
  });

  test("a binary package that another source has in the archive, in no lower version", async () => {
    const held = (source: string, version: string) => {
      policy = {
        ...policy,
        archiveBinary: (_series, name) =>
          Promise.resolve(name === "hello" ? { source, version } : null),
      };
    };
    held("greetings", "1.0-2");
    expect(await problemsOf(upload())).toEqual([
      "hello_1.0-2.dsc: Binary: hello 1.0-2 of source greetings is in the archive of bookworm, which is not below 1.0-2",
    ]);
    held("greetings", "1.0-1");
    const staging = join(folder, "staging");
    expect(await admit([upload()], policy, staging)).toHaveLength(1);
    rmSync(staging, { recursive: true });
    // Its own binary packages may have versions of their own.
    held("hello", "1:7");
    expect(await admit([upload()], policy, staging)).toHaveLength(1);
  });

  test("a file name that leaves its folder", async () => {
    const path = upload({
      changes: (text) =>
        text.replaceAll("hello_1.0-2.tar.xz", "../hello_1.0-2.tar.xz"),
    });
    expect(await problemsOf(path)).toContainEqual(
      `${path}: Files: "../hello_1.0-2.tar.xz" is not a plain file name`,
    );
  });

  test("two .dsc files, and none", async () => {
    expect(
      await problemsOf(upload({ extra: { "other_1.dsc": "x" } })),
    ).toContainEqual(expect.stringContaining("Files: names 2 .dsc files"));
    const none = upload({
      changes: (text) => text.replaceAll(/^ .*\.dsc\n/gm, ""),
    });
    expect(await problemsOf(none)).toContainEqual(
      expect.stringContaining("Files: names no .dsc"),
    );
  });

  test("a binary upload", async () => {
    expect(
      await problemsOf(
        upload({
          architecture: "source amd64",
          extra: { "hello_1.0-2_amd64.deb": "x" },
        }),
      ),
    ).toEqual([
      expect.stringContaining("hello_1.0-2_amd64.deb: only source is accepted"),
    ]);
    expect(await problemsOf(upload({ architecture: "amd64" }))).toEqual([
      expect.stringContaining("Architecture: has no source"),
    ]);
  });

  test("a version that is not higher than the archive's", async () => {
    policy = { ...policy, archiveVersion: () => "1.0-2" };
    expect(await problemsOf(upload())).toEqual([
      expect.stringContaining(
        "Version: 1.0-2 is not higher than 1.0-2, which the archive of bookworm has",
      ),
    ]);
  });

  test("a version in flight, and the same source twice in one ticket", async () => {
    policy = { ...policy, inFlight: () => 7 };
    expect(await problemsOf(upload())).toEqual([
      expect.stringContaining("hello 1.0-2 is in flight already, as ticket 7"),
    ]);
    policy = { ...policy, inFlight: () => null };
    expect(await problemsOf(upload(), upload({ version: "1.0-3" }))).toEqual([
      expect.stringContaining("hello is in this ticket twice"),
    ]);
  });

  test("a series that does not exist, and UNRELEASED", async () => {
    expect(await problemsOf(upload({ distribution: "sid" }))).toEqual([
      expect.stringContaining(
        'Distribution: "sid" is not a series here; known: bookworm; --series names another',
      ),
    ]);
    expect(await problemsOf(upload({ distribution: "next" }))).toEqual([
      expect.stringContaining(
        'Distribution: "next" stands for "trixie" (admission.suites), which is not a series here',
      ),
    ]);
    expect(await problemsOf(upload({ distribution: "UNRELEASED" }))).toEqual([
      expect.stringContaining("is UNRELEASED"),
    ]);
  });

  test("a bad version and a bad name", async () => {
    const path = upload({
      changes: (text) =>
        text
          .replace("Version: 1.0-2", "Version: one")
          .replace("Source: hello", "Source: Hello!"),
    });
    expect(await problemsOf(path)).toEqual(
      expect.arrayContaining([
        expect.stringContaining(
          'Source: "Hello!" is not the name of a source package',
        ),
        expect.stringContaining('Version: "one" does not start with a digit'),
      ]),
    );
  });

  test(".dsc and .changes that disagree", async () => {
    const path = upload({
      dsc: (text) => text.replace("Version: 1.0-2", "Version: 1.0-1"),
    });
    expect(await problemsOf(path)).toEqual([
      expect.stringContaining(
        "hello_1.0-2.dsc: Version: is 1.0-1, but the .changes says 1.0-2",
      ),
    ]);
  });

  test.each([
    ["an empty file", Buffer.alloc(0), "is empty"],
    [
      "Latin-1 bytes",
      Buffer.from("Source: h\xe9llo\n", "latin1"),
      "is not UTF-8 text",
    ],
    ["10 MB of noise", randomBytes(10_000_000), "is larger than"],
    ["a little noise", randomBytes(1000), "is not UTF-8 text"],
  ])("%s", async (_what, contents, message) => {
    const path = join(folder, "x_1_source.changes");
    writeFileSync(path, contents);
    expect(await problemsOf(path)).toEqual([expect.stringContaining(message)]);
  });

  test("a folder, a missing file, and another kind of file", async () => {
    const path = join(folder, "x_1_source.changes");
    mkdirSync(path);
    expect(await problemsOf(path)).toEqual([`${path}: is a folder`]);
    expect(await problemsOf(join(folder, "none_1_source.changes"))).toEqual([
      expect.stringContaining("is missing"),
    ]);
    expect(await problemsOf("/etc/hostname")).toEqual([
      expect.stringContaining("is not called NAME_VERSION_source.changes"),
    ]);
  });

  test("more and larger files than the limits", async () => {
    policy = { ...policy, maxFiles: 2 };
    expect(await problemsOf(upload())).toEqual([
      expect.stringContaining("one file too many: a ticket may have 2"),
    ]);
    policy = { ...policy, maxFiles: 20, maxFileBytes: 10 };
    expect(await problemsOf(upload())).toContainEqual(
      expect.stringContaining("hello_1.0-2.tar.xz is larger than 10 bytes"),
    );
  });

  test("a control file that lists itself, or the other one", async () => {
    const line = (sum: string, name: string) => ` ${sum} 1 ${name}\n`;
    const listing = (name: string) => (text: string) =>
      text
        .replace("Sha256:\n", `$&${line("0".repeat(64), name)}`)
        .replace("Files:\n", `$&${line("0".repeat(32), name)}`);
    const changes = "hello_1.0-2_source.changes";
    expect(
      await problemsOf(upload({ changes: listing(changes) })),
    ).toContainEqual(expect.stringContaining("is there twice"));
    expect(await problemsOf(upload({ dsc: listing(changes) }))).toContainEqual(
      expect.stringContaining("is there twice"),
    );
  });

  test("everything that is wrong with what is signed, at once", async () => {
    const path = upload({ distribution: "sid", architecture: "amd64" });
    rmSync(join(folder, "hello_1.0-2.tar.xz"));
    expect(await problemsOf(path)).toHaveLength(3);
  });

  test("an unsigned upload without reading what it says", async () => {
    const path = upload({ distribution: "sid", sign: "nobody" });
    expect(await problemsOf(path)).toEqual([
      `${path}: signature: is missing: sign the upload (debsign)`,
    ]);
  });
});
