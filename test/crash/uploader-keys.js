import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

let keys;

/** The keys of two uploaders, made once: fingerprint, and the file with the public key. */
export function keysOfUploaders() {
  return (keys ??= ["one", "two"].map(makeKey));
}

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "crash-keys-"));
  process.on("exit", () => rmSync(made, { recursive: true, force: true }));
  return made;
};

function makeKey(name) {
  const home = folder();
  const gpg = (...args) =>
    execFileSync("gpg", ["--homedir", home, "--batch", "--quiet", ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  gpg(
    ...["--passphrase", "", "--quick-generate-key"],
    ...[`${name} <${name}@example.com>`, "ed25519", "sign", "never"],
  );
  const listed = gpg("--with-colons", "--list-keys");
  const [, fingerprint] = /^fpr:*([0-9A-F]{40}):/m.exec(listed);
  const file = join(home, `${name}.asc`);
  writeFileSync(file, gpg("--armor", "--export"));
  execFileSync("gpgconf", ["--homedir", home, "--kill", "all"]);
  return { fingerprint, file };
}
