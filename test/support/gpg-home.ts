import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** A GnuPG home that makes keys and signs, also in other times and in ways that gpg itself warns of. */
export class GpgHome {
  readonly folder: string;

  constructor(folder: string) {
    mkdirSync(folder, { mode: 0o700 });
    this.folder = folder;
  }

  /** Runs gpg; its standard output. */
  run(args: readonly string[], input: string | Buffer = ""): Buffer {
    const always = ["--homedir", this.folder, "--batch", "--quiet"];
    const unasked = ["--pinentry-mode", "loopback", "--passphrase", ""];
    return execFileSync("gpg", [...always, ...unasked, ...args], {
      input,
      stdio: ["pipe", "pipe", "pipe"],
    });
  }

  /** Makes a key that signs, ed25519 unless it says otherwise; its fingerprint. */
  makeKey(
    uid: string,
    {
      algorithm = "ed25519",
      usage = "sign",
      expires = "never",
      options = [],
    }: {
      readonly algorithm?: string;
      readonly usage?: string;
      readonly expires?: string;
      readonly options?: readonly string[];
    } = {},
  ): string {
    const made = this.run([
      ...["--status-fd", "1", ...options],
      // What a user ID is written in does not depend on the caller's locale.
      ...["--charset", "utf-8"],
      ...["--quick-generate-key", uid, algorithm, usage, expires],
    ]).toString();
    const fingerprint = /KEY_CREATED [BP] ([0-9A-F]{40})/.exec(made)?.[1];
    if (fingerprint === undefined) throw new Error(`no key: ${made}`);
    return fingerprint;
  }

  publicKey(...fingerprints: string[]): Buffer {
    return this.run(["--export", ...fingerprints]);
  }

  armouredKey(...fingerprints: string[]): string {
    return this.run(["--armor", "--export", ...fingerprints]).toString();
  }

  clearSign(text: string, ...options: string[]): string {
    return this.run([...options, "--clearsign"], text).toString();
  }

  /** Answers what --edit-key asks. */
  edit(fingerprint: string, commands: string): void {
    const always = ["--homedir", this.folder, "--batch", "--quiet"];
    const unasked = ["--pinentry-mode", "loopback", "--passphrase", ""];
    execFileSync(
      "gpg",
      [...always, ...unasked, "--command-fd", "0", "--edit-key", fingerprint],
      { input: commands, stdio: ["pipe", "pipe", "pipe"] },
    );
  }

  /** Revokes a key, as its owner. */
  revoke(fingerprint: string): void {
    const file = `${this.folder}/openpgp-revocs.d/${fingerprint}.rev`;
    const certificate = execFileSync("sed", ["s/^:---/---/", file]);
    this.run(["--import"], certificate);
  }

  /** Ends its agent. */
  stop(): void {
    execFileSync("gpgconf", ["--homedir", this.folder, "--kill", "all"], {
      stdio: "ignore",
    });
  }
}
