import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
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

import { GpgHome } from "../../../test/support/gpg-home.ts";
import type { UbuntuCiError } from "../domain/error.ts";
import type { StatePaths } from "../host/paths.ts";
import { statePaths } from "../host/paths.ts";
import {
  addUploaders,
  checkUploaders,
  listUploaders,
  removeUploader,
} from "./uploaders.ts";
import { adviceText } from "../host/command-line.ts";

let root: string;
let home: GpgHome;
let paths: StatePaths;
let file: string;
const keys = {} as Record<"alice" | "bob", string>;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "uploaders-"));
  chmodSync(root, 0o755);
  home = new GpgHome(join(root, "gpg"));
  keys.alice = home.makeKey("Alice <alice@example.com>");
  keys.bob = home.makeKey("Bob <bob@example.com>");
}, 60_000);

afterAll(() => {
  home.stop();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  paths = statePaths(mkdtempSync(join(root, "state:with colon-")));
  file = join(paths.root, "keys");
});

async function add(
  contents: string | Buffer,
  globs?: readonly string[],
): Promise<void> {
  writeFileSync(file, contents);
  await addUploaders(paths, await checkUploaders(paths, file, globs));
}

/** What is wrong with a file of keys, as lines; also checks that nothing was added. */
async function problemsOf(
  contents: string | Buffer,
  globs?: readonly string[],
): Promise<string[]> {
  const before = await listUploaders(paths);
  const thrown: unknown = await add(contents, globs).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toMatchObject({ name: "UbuntuCiError", exitCode: 2 });
  expect(await listUploaders(paths)).toEqual(before);
  const { message, problems } = thrown as UbuntuCiError;
  return problems.length === 0
    ? [message]
    : problems.map(
        ({ where, message: what }) => `${where}: ${adviceText(what)}`,
      );
}

const files = () =>
  existsSync(paths.uploaders) ? readdirSync(paths.uploaders).sort() : [];

describe("keys are accepted", () => {
  test("for all packages, armoured or not, several of a file", async () => {
    await add(home.publicKey(keys.alice));
    expect(await listUploaders(paths)).toEqual({
      uploaders: [
        {
          fingerprint: keys.alice,
          uid: "Alice <alice@example.com>",
          packages: null,
          problems: [],
        },
      ],
      unused: [],
    });
    await add(home.armouredKey(keys.bob) + home.armouredKey(keys.alice));
    expect(files()).toEqual([`${keys.alice}.gpg`, `${keys.bob}.gpg`].sort());
  });

  test("for some packages; added again they keep these, unless others are named", async () => {
    const packages = async () =>
      (await listUploaders(paths)).uploaders.map((one) => one.packages);
    const key = home.publicKey(keys.alice);
    await add(key, ["python3-*", "hello", "hello"]);
    expect(await packages()).toEqual([["hello", "python3-*"]]);
    await add(key);
    expect(await packages()).toEqual([["hello", "python3-*"]]);
    await add(key, ["lib?"]);
    expect(await packages()).toEqual([["lib?"]]);
    expect(files()).toEqual([`${keys.alice}.json`]);
    await add(key, ["**"]);
    expect(await packages()).toEqual([null]);
    expect(files()).toEqual([`${keys.alice}.gpg`]);
  });

  test("with their limits where a change was cut off between its two files", async () => {
    const key = home.publicKey(keys.alice);
    await add(key, ["hello"]);
    writeFileSync(join(paths.uploaders, `${keys.alice}.gpg`), key);
    const { uploaders } = await listUploaders(paths);
    expect(uploaders.map((one) => one.packages)).toEqual([["hello"]]);
    await removeUploader(paths, keys.alice);
    expect(files()).toEqual([]);
  });

  test("without the signatures of other people", async () => {
    const key = home.makeKey("Signed <signed@example.com>");
    const before = home.publicKey(key).length;
    home.run(["--local-user", keys.bob, "--quick-sign-key", key]);
    expect(home.publicKey(key).length).toBeGreaterThan(before);
    await add(home.publicKey(key));
    expect(readFileSync(join(paths.uploaders, `${key}.gpg`)).length).toBe(
      before,
    );
  });

  test("with user IDs that are shown without control characters", async () => {
    const key = home.makeKey(
      "Eve \u001b[2J: \\x \u009b \u202e <eve@example.com>",
    );
    await add(home.publicKey(key));
    const { uploaders } = await listUploaders(paths);
    expect(uploaders.map(({ uid }) => uid)).toEqual([
      "Eve \\x1b[2J: \\x \\x9b \\u202e <eve@example.com>",
    ]);
  });

  test("with many user IDs", async () => {
    const key = home.makeKey("First <first@example.com>");
    for (let number = 0; number < 20; number += 1)
      home.run(["--quick-add-uid", key, `Other ${number} <o@example.com>`]);
    await add(home.publicKey(key));
    const { uploaders } = await listUploaders(paths);
    expect(uploaders).toMatchObject([{ fingerprint: key, problems: [] }]);
  });
});

describe("keys are refused", () => {
  test("every one of a file with its reason, at once, and none is added", async () => {
    const then = ["--faked-system-time", "20200101T000000"];
    const later = ["--faked-system-time", "20500101T000000"];
    const sha1 = ["--cert-digest-algo", "SHA1", "--allow-weak-digest-algos"];
    const bad = {
      "has expired on 2020-01-02": home.makeKey("Past <p@example.com>", {
        expires: "1d",
        options: then,
      }),
      "is revoked": home.makeKey("Revoked <r@example.com>"),
      "is a DSA key": home.makeKey("Dsa <d@example.com>", {
        algorithm: "dsa1024",
      }),
      "is an RSA key of 1024 bits, less than 2048": home.makeKey(
        "Short <s@example.com>",
        { algorithm: "rsa1024" },
      ),
      "has self-signatures by SHA-1, RIPEMD-160 or MD5 alone": home.makeKey(
        "Sha <sha@example.com>",
        { options: sha1 },
      ),
      "has no key that may sign now": home.makeKey("Cert <c@example.com>", {
        usage: "cert",
      }),
      "is dated in the future (2050-01-01)": home.makeKey(
        "Future <f@example.com>",
        { options: later },
      ),
    };
    home.revoke(bad["is revoked"]);
    const problems = await problemsOf(
      home.publicKey(keys.alice, ...Object.values(bad)),
    );
    for (const [message, key] of Object.entries(bad))
      expect(
        problems.filter((line) => line.startsWith(`${file}: ${key}`)),
      ).toContainEqual(expect.stringContaining(message));
    expect(problems.join("\n")).not.toContain("Alice");
    expect(files()).toEqual([]);
  });

  test("whose subkeys alone may sign, and none of them can", async () => {
    const then = ["--faked-system-time", "20200101T000000"];
    const key = home.makeKey("Sub <sub@example.com>", {
      usage: "cert",
      options: then,
    });
    home.run([...then, "--quick-add-key", key, "ed25519", "sign", "1y"]);
    const problems = await problemsOf(home.publicKey(key));
    expect(problems.join("\n")).toMatch(
      /its subkey [0-9A-F]{40} has expired on 2020-12-31/,
    );
    home.run(["--quick-add-key", key, "ed25519", "sign", "1y"]);
    await add(home.publicKey(key));
    expect(files()).toEqual([`${key}.gpg`]);
  });

  test("a revoked one that is accepted already, with the command that ends that", async () => {
    const key = home.makeKey("Was <was@example.com>");
    const old = home.publicKey(key);
    await add(old);
    home.revoke(key);
    expect((await problemsOf(home.publicKey(key))).join("\n")).toContain(
      `is revoked; it is accepted here: \`ubuntu-ci uploaders remove ${key}\``,
    );
  });

  test("an older copy, from before a subkey was revoked, takes the revocation back from nothing", async () => {
    const key = home.makeKey("Two <two@example.com>");
    home.run(["--quick-add-key", key, "ed25519", "sign", "1y"]);
    const old = home.publicKey(key);
    home.edit(key, "key 1\nrevkey\ny\n0\n\ny\nsave\n");
    await add(home.publicKey(key));
    const kept = readFileSync(join(paths.uploaders, `${key}.gpg`));
    await add(old);
    expect(readFileSync(join(paths.uploaders, `${key}.gpg`))).toEqual(kept);
  });

  test("with a key or subkey that another uploader has, which would leave open who signed", async () => {
    // The framing of a key, and Alice's primary key as its subkey: type 6 is made 14.
    const body = Buffer.alloc(40, 4);
    const alice = home.publicKey(keys.alice);
    const subkey = Buffer.from(alice.subarray(0, alice.readUInt8(1) + 2));
    subkey.writeUInt8(0x80 | (14 << 2));
    const packets = [Buffer.from([0xc6, 40]), body, subkey];
    const hash = createHash("sha1").update(Buffer.from([0x99, 0, 40]));
    const mallory = hash.update(body).digest("hex").toUpperCase();
    mkdirSync(paths.uploaders);
    writeFileSync(
      join(paths.uploaders, `${mallory}.gpg`),
      Buffer.concat(packets),
    );
    expect(await problemsOf(alice)).toEqual([
      expect.stringContaining(
        `has the key ${keys.alice.slice(-16)}, which the uploader ${mallory} has, too`,
      ),
    ]);
  });

  test.each([
    ["nothing", "", "has no OpenPGP public key"],
    ["text", "hello\n", "has no OpenPGP public key"],
    ["a page", "<html></html>", "has no OpenPGP public key"],
    ["5 MB", Buffer.alloc(5_000_000, 0x99), "is larger than 4194304 bytes"],
  ])("in a file with %s", async (_what, contents, message) => {
    expect(await problemsOf(contents)).toEqual([
      expect.stringContaining(message),
    ]);
  });

  test("that are secret, armoured or not", async () => {
    for (const options of [[], ["--armor"]])
      expect(
        await problemsOf(
          home.run([...options, "--export-secret-keys", keys.alice]),
        ),
      ).toEqual([expect.stringContaining("has a secret key in it")]);
  });

  test("for packages that nothing can be called", async () => {
    const key = home.publicKey(keys.alice);
    const globs = ["Hello", "hello_1.dsc", "", "[a-z]*", "a b", "-x", "é"];
    expect(await problemsOf(key, globs)).toHaveLength(globs.length);
    expect(await problemsOf(key, ["a".repeat(200)])).toEqual([
      expect.stringContaining("is too long"),
    ]);
  });
});

test("the list tells of keys that are refused by today's rules, and of files that are none", async () => {
  const weak = home.makeKey("Weak <weak@example.com>", {
    algorithm: "dsa1024",
  });
  await add(home.publicKey(keys.alice));
  writeFileSync(join(paths.uploaders, `${weak}.gpg`), home.publicKey(weak));
  writeFileSync(join(paths.uploaders, `${"0".repeat(40)}.gpg`), "broken");
  writeFileSync(join(paths.uploaders, `${"1".repeat(40)}.json`), "{}");
  execFileSync("ln", ["-s", "/etc/passwd", join(paths.uploaders, "x.gpg")]);
  const { uploaders, unused } = await listUploaders(paths);
  expect(uploaders).toHaveLength(2);
  expect(uploaders).toContainEqual(
    expect.objectContaining({
      fingerprint: weak,
      problems: expect.arrayContaining(["is a DSA key"]) as string[],
    }),
  );
  expect(unused.map(({ where }) => where.slice(-6))).toEqual([
    "00.gpg",
    "1.json",
    "/x.gpg",
  ]);
});
