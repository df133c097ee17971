import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { writePackage } from "../package.js";
import { run } from "../process.js";

const weakAllowed = ["--allow-weak-digest-algos"];

/** An upload that is signed so is accepted, although it must not be. */
function signedWith({ options = [], change = (text) => text }) {
  return async (here) => {
    const { place } = here;
    const changes = await writePackage(place.uploads, place.series, {
      source: here.name,
    });
    await place.sign(changes, { options });
    writeFileSync(changes, change(readFileSync(changes, "utf8")));
    return accepted(here, changes);
  };
}

async function accepted({ place, name }, changes) {
  const { code, stderr } = await place.ci([
    ...["create_ticket", "-w", "-t", name, "-s", changes],
  ]);
  return {
    ran: code === 2 ? true : stderr,
    breach: code === 0 ? "the upload was accepted" : undefined,
  };
}

/** Adds a key, when nobody else does. */
async function addUploader(place, file) {
  for (;;) {
    const ended = await place.ci(["uploaders", "add", file]);
    if (ended.code !== 75) return ended;
  }
}

/** `uploaders add` accepts a key that it must not. */
function addedKey(key) {
  return async (here) => {
    const { place } = here;
    const gnupg = place.folder(`scratch/${here.id}`, 0o700);
    const file = await place.makeKey(gnupg, {
      name: `${here.id} <${here.id}@example.com>`,
      ...key,
    });
    await key.change?.(place, gnupg, file);
    const { code, stderr, stdout } = await addUploader(place, file);
    const fingerprint = /[0-9A-F]{40}/.exec(stdout)?.[0];
    if (code === 0) await place.ci(["uploaders", "remove", fingerprint]);
    return {
      ran: code === 2 ? true : stderr,
      breach:
        code === 0
          ? "the key was accepted"
          : code === 70
            ? `a bug: ${stderr}`
            : undefined,
    };
  };
}

const past = ["--faked-system-time", "20200101T000000"];

async function revoke(place, gnupg, file) {
  const [fingerprint] = (
    await place.gpg(gnupg, ["--with-colons", "--list-keys"])
  ).match(/(?<=^fpr:+)[0-9A-F]{40}/m);
  const stored = join(gnupg, "openpgp-revocs.d", `${fingerprint}.rev`);
  const certificate = join(gnupg, "revocation");
  writeFileSync(
    certificate,
    readFileSync(stored, "utf8").replace(/^:(?=-----BEGIN)/m, ""),
  );
  await place.gpg(gnupg, ["--import", certificate]);
  writeFileSync(file, await place.gpg(gnupg, ["--armor", "--export"]));
}

/** A key that was accepted while it was good, and a signature from then. */
async function expiredSince(here) {
  const { place } = here;
  const gnupg = place.folder(`scratch/${here.id}`, 0o700);
  const file = await place.makeKey(gnupg, {
    name: `${here.id} <${here.id}@example.com>`,
    expires: "seconds=12",
  });
  const { stdout } = await addUploader(place, file);
  const changes = await writePackage(place.uploads, place.series, {
    source: here.name,
  });
  await place.sign(changes, { gnupg });
  const fingerprint = /[0-9A-F]{40}/.exec(stdout)?.[0];
  if (fingerprint === undefined)
    return { ran: "the key was not accepted at all" };
  await run(["sleep", "13"]);
  const ended = await accepted(here, changes);
  await place.ci(["uploaders", "remove", fingerprint]);
  return ended;
}

/** @type {import("../attack.js").Attack[]} */
export const attacks = [
  {
    id: "s17-sha1",
    quick: true,
    before: "succeeds",
    tries: "an upload signed over SHA-1",
    carryOut: signedWith({ options: ["--digest-algo", "SHA1"] }),
  },
  {
    id: "s17-ripemd160",
    before: "succeeds",
    tries: "an upload signed over RIPEMD-160",
    carryOut: signedWith({
      options: [...weakAllowed, "--digest-algo", "RIPEMD160"],
    }),
  },
  {
    id: "s17-md5",
    before: "held",
    tries: "an upload signed over MD5",
    carryOut: signedWith({ options: [...weakAllowed, "--digest-algo", "MD5"] }),
  },
  {
    id: "s17-post-dated",
    quick: true,
    before: "succeeds",
    tries: "an upload whose signature is dated in the future",
    carryOut: signedWith({
      options: ["--faked-system-time", "20380101T000000"],
    }),
  },
  {
    id: "s17-tomorrow",
    before: "succeeds",
    tries: "an upload whose signature is dated two days from now",
    carryOut: (here) =>
      signedWith({
        options: [
          "--faked-system-time",
          `${Math.floor(Date.now() / 1000) + 2 * 86_400}`,
        ],
      })(here),
  },
  {
    id: "s17-armour-inside",
    before: "held",
    tries:
      "text before and behind the signed part, which a careless reader takes",
    carryOut: signedWith({
      change: (text) => `Source: other\n${text}\nVersion: 9\n`,
    }),
  },
  {
    id: "s17-signed-twice",
    before: "held",
    tries: "a stranger's signed text in front of the uploader's",
    carryOut: signedWith({ change: (text) => `${text}${text}` }),
  },
  {
    id: "s17-key-expired",
    quick: true,
    before: "succeeds",
    tries: "uploaders add takes an expired key",
    carryOut: addedKey({ options: past, expires: "2d" }),
  },
  {
    id: "s17-key-revoked",
    before: "succeeds",
    tries: "uploaders add takes a revoked key",
    carryOut: addedKey({ change: revoke }),
  },
  {
    id: "s17-key-dsa",
    before: "succeeds",
    tries: "uploaders add takes a DSA key",
    carryOut: addedKey({ kind: "dsa2048" }),
  },
  {
    id: "s17-key-short",
    before: "succeeds",
    tries: "uploaders add takes an RSA key of 1024 bits",
    carryOut: addedKey({ kind: "rsa1024" }),
  },
  {
    id: "s17-key-sha1",
    before: "succeeds",
    tries: "uploaders add takes a key whose own signatures are over SHA-1",
    carryOut: addedKey({ options: ["--cert-digest-algo", "SHA1"] }),
  },
  {
    id: "s17-key-of-the-future",
    before: "either",
    tries: "uploaders add takes a key that was made in the future",
    carryOut: addedKey({ options: ["--faked-system-time", "20380101T000000"] }),
  },
  {
    id: "s17-key-expired-since",
    before: "held",
    tries: "an upload of a key that has expired since it was accepted",
    carryOut: expiredSince,
  },
].map((attack) => ({ row: "S17", boundary: "upload", ...attack }));
