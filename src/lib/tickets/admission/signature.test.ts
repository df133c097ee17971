import { createHash } from "node:crypto";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
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
  expect,
  describe,
  test,
} from "vitest";

import { GpgHome } from "../../../../test/support/gpg-home.ts";
import type { Problem } from "../../domain/error.ts";
import { issuersOf, unarmoured } from "../../domain/openpgp/packets.ts";
import type { Admission, AdmissionPolicy } from "./policy.ts";
import { checkRights, verifiedText } from "./signature.ts";
import { adviceText } from "../../host/command-line.ts";

const text =
  "Source: hello\nChanges:\n hello (1.0) bookworm\n -----BEGIN PGP is how it begins\nTrail: a\n";
const beginning = "-----BEGIN PGP SIGNED MESSAGE-----\n";

let root: string;
let home: GpgHome;
let dev: string;
let folder: string;
let uploaders: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "sig-"));
  chmodSync(root, 0o755);
  home = new GpgHome(join(root, "gpg"));
  dev = home.makeKey("Dev <dev@example.com>");
}, 60_000);

afterAll(() => {
  home.stop();
  rmSync(root, { recursive: true, force: true });
});

beforeEach(() => {
  folder = mkdtempSync(join(root, "state:with colon-"));
  uploaders = join(folder, "uploaders");
  mkdirSync(uploaders);
  accept(dev);
});

function accept(...fingerprints: string[]): void {
  for (const fingerprint of fingerprints)
    writeFileSync(
      join(uploaders, `${fingerprint}.gpg`),
      home.publicKey(fingerprint),
    );
}

const signed = (...options: string[]) =>
  home.clearSign(text, "--local-user", dev, ...options);

/** What may be read of a file with these contents, or what is wrong with it. */
async function verified(
  contents: string | Buffer,
  signatures: AdmissionPolicy["signatures"] = "required",
) {
  const problems: Problem[] = [];
  const path = join(folder, "x_1_source.changes");
  writeFileSync(path, contents);
  const file = { name: "x", path, size: 0, sha256: "" };
  const policy = { uploaders, signatures } as AdmissionPolicy;
  const admission: Admission = {
    policy,
    budget: { bytes: 0, files: 0 },
    problems,
  };
  const found = await verifiedText(file, "x.changes", admission);
  return {
    text: found?.text,
    signer: found?.signer?.key.fingerprint,
    problem: problems
      .map(({ field, message }) => `${field ?? ""}: ${adviceText(message)}`)
      .join("\n"),
  };
}

/** A signature by hand around a text: what gpg's own --clearsign would not write. */
const wrapped = (body: string, signature: string, hash = "SHA512") =>
  `${beginning}Hash: ${hash}\n\n${body}\n${signature}`;

const detached = (body: string, ...options: string[]) =>
  home
    .run(
      [
        ...["--armor", "--local-user", dev, "--digest-algo", "SHA512"],
        ...[...options, "--detach-sign"],
      ],
      body,
    )
    .toString();

describe("a signed text", () => {
  test("is what gpgv says was signed, with who signed it", async () => {
    expect(await verified(signed())).toEqual({
      text,
      signer: dev,
      problem: "",
    });
  });

  test("has its dashes unescaped, and no white space at the ends of lines", async () => {
    const message = home
      .clearSign("- a\n-----BEGIN of a line\nb  \n", "--local-user", dev)
      .replaceAll("\n", " \t\r\n");
    expect(await verified(message)).toMatchObject({
      text: "- a\n-----BEGIN of a line\nb\n",
      signer: dev,
    });
  });

  test("may be dated a little ahead of this machine's clock, as clocks differ", async () => {
    const ahead = (seconds: number) =>
      signed(
        "--faked-system-time",
        String(Math.floor(Date.now() / 1000) + seconds),
      );
    expect(await verified(ahead(600))).toMatchObject({ signer: dev });
    expect((await verified(ahead(1200))).problem).toContain(
      "signature: is dated in the future (",
    );
    expect((await verified(ahead(3650 * 86_400))).problem).toContain(
      "signature: is dated in the future (",
    );
  });

  test("may be signed by a subkey: who signed is the primary key", async () => {
    const key = home.makeKey("Sub <sub@example.com>", { usage: "cert" });
    home.run(["--quick-add-key", key, "ed25519", "sign", "1y"]);
    accept(key);
    expect(
      await verified(home.clearSign(text, "--local-user", key)),
    ).toMatchObject({ signer: key });
  });
});

describe("an unsigned text", () => {
  test("is refused, and where signatures are optional read as it is", async () => {
    expect(await verified(text)).toMatchObject({
      text: undefined,
      problem: "signature: is missing: sign the upload (debsign)",
    });
    expect(await verified(text, "optional")).toEqual({
      text,
      signer: undefined,
      problem: "",
    });
  });

  test("is what a message of an unknown key counts as where signatures are optional", async () => {
    const stranger = home.makeKey("Stranger <stranger@example.com>");
    const message = home.clearSign(text, "--local-user", stranger);
    expect((await verified(message)).problem).toBe(
      `signature: is of a key that no uploader has (${stranger.slice(-16)})`,
    );
    expect(await verified(message, "optional")).toEqual({
      text,
      signer: undefined,
      problem: "",
    });
  });
});

describe("a signature is refused, also where signatures are optional:", () => {
  const refused = async (message: string | Buffer) => {
    const found = await verified(message);
    expect(found).toMatchObject({ text: undefined, signer: undefined });
    expect(await verified(message, "optional")).toEqual(found);
    return found.problem;
  };

  test.each([
    ["SHA1", "SHA-1"],
    ["RIPEMD160", "RIPEMD-160"],
    ["MD5", "MD5"],
  ])("one made with %s", async (algorithm, name) => {
    const message = signed(
      ...["--digest-algo", algorithm, "--allow-weak-digest-algos"],
    );
    expect(await refused(message)).toContain(
      `signature: is made with ${name}, which is too weak`,
    );
  });

  test("one that does not match the text", async () => {
    expect(await refused(signed().replace("hello", "hallo"))).toContain(
      "signature: does not match the contents",
    );
  });

  test("one that has expired", async () => {
    const key = home.makeKey("Past <past@example.com>", {
      options: ["--faked-system-time", "20200101T000000"],
    });
    accept(key);
    const message = home.clearSign(
      text,
      ...["--local-user", key, "--default-sig-expire", "1d"],
      ...["--faked-system-time", "20200102T000000"],
    );
    expect(await refused(message)).toContain("signature: has expired");
  });

  test("one of a key that has expired since it was added", async () => {
    const then = ["--faked-system-time", "20200101T000000"];
    const key = home.makeKey("Old <old@example.com>", {
      expires: "1y",
      options: then,
    });
    accept(key);
    const message = home.clearSign(text, "--local-user", key, ...then);
    expect(await refused(message)).toContain("signature: is of an expired key");
  });

  test("one of a key that was revoked", async () => {
    const key = home.makeKey("Revoked <revoked@example.com>");
    const message = home.clearSign(text, "--local-user", key);
    home.revoke(key);
    accept(key);
    expect(await refused(message)).toContain("signature: is of a revoked key");
  });

  test("one of a subkey that was revoked, and of one that has expired", async () => {
    const then = ["--faked-system-time", "20200101T000000"];
    const key = home.makeKey("Subs <subs@example.com>", {
      usage: "cert",
      options: then,
    });
    home.run([...then, "--quick-add-key", key, "ed25519", "sign", "1y"]);
    const old = home.clearSign(text, "--local-user", key, ...then);
    accept(key);
    expect(await refused(old)).toContain("signature: is of an expired key");
    home.run(["--quick-add-key", key, "ed25519", "sign", "1y"]);
    const message = home.clearSign(text, "--local-user", key);
    home.edit(key, "key 2\nrevkey\ny\n0\n\ny\nsave\n");
    accept(key);
    expect(await refused(message)).toContain("signature: is of a revoked key");
  });

  test("one of a key that may not sign any more", async () => {
    const key = home.makeKey("Usage <usage@example.com>");
    const message = home.clearSign(text, "--local-user", key);
    home.edit(key, "change-usage\nS\nQ\nsave\n");
    accept(key);
    expect(await refused(message)).toMatch(/signature: .* may not sign/);
  });

  test.each([
    ["dsa2048", [], "is a DSA key"],
    ["rsa1024", [], "is an RSA key of 1024 bits, less than 2048"],
    [
      "ed25519",
      ["--cert-digest-algo", "SHA1", "--allow-weak-digest-algos"],
      "whose self-signatures are not valid, or made with a weak digest",
    ],
  ])(
    "one of a weak key that was accepted before weak keys were refused: %s",
    async (algorithm, options, message) => {
      const key = home.makeKey(`Weak ${algorithm} <weak@example.com>`, {
        algorithm,
        options,
      });
      accept(key);
      const signature = home.clearSign(
        text,
        ...["--local-user", key, "--digest-algo", "SHA256"],
      );
      expect(await refused(signature)).toContain(message);
    },
  );

  test("one of two, however good they are", async () => {
    const other = home.makeKey("Other <other@example.com>");
    accept(other);
    expect(await refused(signed("--local-user", other))).toContain(
      "signature: is not one signature: there is more than one",
    );
  });

  test("one over bytes, not over text", async () => {
    // Its class is 00. Over text of one line both hash the same.
    const message = wrapped("Source: x", detached("Source: x"));
    expect(await refused(message)).toMatch(/^signature: /);
    const asText = wrapped("Source: x", detached("Source: x", "--textmode"));
    expect(await verified(asText)).toMatchObject({ text: "Source: x\n" });
  });

  test("one with more than itself in its armour", async () => {
    const body = "Source: x";
    const armour = detached(body, "--textmode");
    const lines = armour.trimEnd().split("\n").slice(1, -1);
    const literal = Buffer.from([
      0xcb, 9, 0x74, 0, 0, 0, 0, 0, 0x41, 0x0a, 0x41,
    ]);
    const both = Buffer.concat([unarmoured(lines), literal]).toString("base64");
    const message = wrapped(
      body,
      `-----BEGIN PGP SIGNATURE-----\n\n${both}\n-----END PGP SIGNATURE-----\n`,
    );
    expect(issuersOf(unarmoured(lines))).toContain(dev.slice(-16));
    expect(await refused(message)).toContain(
      "is not one signature: there is more than a signature in it",
    );
  });

  test("one that covers another text than the one that is read", async () => {
    // As when gpgv leaves out the end of a line beyond 20,000 characters.
    const tools = join(root, "tools");
    mkdirSync(tools);
    writeFileSync(
      join(tools, "gpgv"),
      '#!/bin/sh\n/usr/bin/gpgv "$@" && sed -i s/hello/hell/ text\n',
      { mode: 0o755 },
    );
    const path = process.env["PATH"] ?? "";
    process.env["PATH"] = `${tools}:${path}`;
    try {
      expect(await refused(signed())).toContain(
        "signature: covers another text than the one that is read",
      );
    } finally {
      process.env["PATH"] = path;
    }
  });

  test.each([
    ["Charset: UTF-16", "another header than Hash"],
    ["NotDashEscaped: You need GnuPG", "another header than Hash"],
    ["Source: evil", "another header than Hash"],
    ["Hash: SHA512\r Source: evil", "another header than Hash"],
  ])("one with the header %j before the text", async (header, message) => {
    expect(
      await refused(signed().replace(beginning, `${beginning}${header}\n`)),
    ).toContain(message);
  });

  test("one that is not around the text, but the text in it", async () => {
    const options = ["--armor", "--local-user", dev, "--sign"];
    expect(await refused(home.run(options, text))).toContain(
      "another OpenPGP message than a clear-signed one",
    );
    const plain = home.run(["--local-user", dev, "--sign"], text);
    expect((await verified(plain)).problem).toContain("is not UTF-8 text");
  });

  test("one of two messages, one before, after or in another", async () => {
    expect(await refused(signed() + signed())).toContain(
      "text after the signed message",
    );
    expect(await refused(`Source: evil\n${signed()}`)).toContain(
      "text before the signed message",
    );
    expect(await refused(`${signed()}Source: evil\n`)).toContain(
      "text after the signed message",
    );
    expect(
      await refused(home.clearSign(signed(), "--local-user", dev)),
    ).toContain("a signed message inside another");
  });

  test.each([
    ["a NUL", (good: string) => good.replace("hello", "hel\0lo"), "UTF-8"],
    [
      "UTF-16",
      (good: string) => Buffer.from(`\ufeff${good}`, "utf16le"),
      "UTF-8",
    ],
    ["Latin-1", () => Buffer.from("S: \xe4\n", "latin1"), "UTF-8"],
    ["nothing", () => "", "is empty"],
    ["no end", (good: string) => good.slice(0, -40), "is cut short"],
  ])("one of a file with %s", async (_what, spoil, message) => {
    expect(await refused(spoil(signed()))).toContain(message);
  });

  test.each([
    ["a byte order mark", (good: string) => `\ufeff${good}`],
    [
      "carriage returns for ends of lines",
      (good: string) => good.replaceAll("\n", "\r"),
    ],
  ])("one behind %s", async (_what, spoil) => {
    expect((await verified(spoil(signed()))).text).toBeUndefined();
  });

  test("one that is megabytes long, before gpgv is asked", async () => {
    const lines = `${"A".repeat(64)}\n`.repeat(40_000);
    const message = wrapped(
      "Source: x",
      `-----BEGIN PGP SIGNATURE-----\n\n${lines}-----END PGP SIGNATURE-----\n`,
    );
    expect(await refused(message)).toContain("it is too long");
  });
});

describe("the uploaders' keys", () => {
  /** A key of which everything but the framing is made up. */
  const madeUp = (number: number) => {
    const body = Buffer.alloc(40, number);
    body.writeUInt8(4);
    body.writeUInt32BE(number, 10);
    const hash = createHash("sha1").update(Buffer.from([0x99, 0, 40]));
    const fingerprint = hash.update(body).digest("hex").toUpperCase();
    const packet = Buffer.concat([Buffer.from([0xc6, 40]), body]);
    writeFileSync(join(uploaders, `${fingerprint}.gpg`), packet);
  };

  test("are found among 1,000 others that gpgv makes nothing of", async () => {
    for (let number = 1; number <= 1000; number += 1) madeUp(number);
    expect(await verified(signed())).toMatchObject({ signer: dev });
  });

  test("are not hidden by a broken file, of which the refusal of another tells", async () => {
    writeFileSync(join(uploaders, `${"0".repeat(40)}.gpg`), "\x99 broken");
    expect(await verified(signed())).toMatchObject({ signer: dev });
    rmSync(join(uploaders, `${dev}.gpg`));
    expect((await verified(signed())).problem).toMatch(
      /no uploaders yet .*; of the keys here 1 cannot be used: `ubuntu-ci uploaders list`/,
    );
  });

  test("are in files of their own names alone", async () => {
    const planted = home.makeKey("Planted <planted@example.com>");
    const file = join(uploaders, `${dev}.gpg`);
    const both = Buffer.concat([readFileSync(file), home.publicKey(planted)]);
    const message = home.clearSign(text, "--local-user", planted);
    for (const name of [`${dev}.gpg`, "planted.gpg", `${"A".repeat(40)}.gpg`]) {
      writeFileSync(join(uploaders, name), both);
      expect(await verified(message)).toMatchObject({ signer: undefined });
    }
  });

  test("are good for the packages that they were added for", async () => {
    const limited = (key: string) =>
      JSON.stringify({
        format: 1,
        packages: ["hello", "python3-*"],
        key: home.publicKey(key).toString("base64"),
      });
    writeFileSync(join(uploaders, `${dev}.json`), limited(dev));
    const problems: Problem[] = [];
    const policy = { uploaders, signatures: "required" } as AdmissionPolicy;
    const admission: Admission = {
      policy,
      budget: { bytes: 0, files: 0 },
      problems,
    };
    const path = join(folder, "x_1_source.changes");
    writeFileSync(path, signed());
    const file = { name: "x", path, size: 0, sha256: "" };
    const found = await verifiedText(file, "x", admission);
    const signer = found?.signer ?? null;
    expect(signer?.key.fingerprint).toBe(dev);
    for (const source of ["hello", "python3-apt"])
      checkRights(source, signer, "x", admission);
    expect(problems).toEqual([]);
    checkRights("dpkg", signer, "x", admission);
    expect(
      problems.map(({ message, ...place }) => ({
        ...place,
        message: adviceText(message),
      })),
    ).toEqual([
      {
        where: "x",
        field: "Source",
        message: expect.stringMatching(
          `^Dev <dev@example.com> \\(${dev}\\) may upload hello, python3-\\*, not dpkg: .*uploaders add KEYFILE --packages`,
        ) as string,
      },
    ]);
  });
});
