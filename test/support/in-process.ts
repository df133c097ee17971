import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import Database from "better-sqlite3";
import { expect, vi } from "vitest";

import { ProgramCall } from "../../src/cli/program.ts";
import type { WorkStepCode } from "../../src/lib/domain/step.ts";
import type { FileRef } from "../../src/lib/domain/ticket.ts";
import { thisProcess } from "../../src/lib/files/process-identity.ts";
import { openDatabase } from "../../src/lib/state/database.ts";
import { takeLease } from "../../src/lib/state/leases.ts";
import type { TicketDocument } from "../../src/lib/tickets/ticket-document.ts";
import type { Ended } from "./program.ts";
import { fakeBackends } from "./program.ts";

/** How an upload differs from the usual one. */
interface Unlike {
  readonly distribution?: string;
  readonly architecture?: string;
  readonly buildDepends?: string;
  /** The files of the source, by their names. */
  readonly files?: Readonly<Record<string, string>>;
  /** Those of them that the .changes names. */
  readonly uploaded?: readonly string[];
}

/** What every installation here has, unless it says otherwise: fakes, no signatures, retries at once. */
const usual = {
  ...fakeBackends,
  ppa: { pool: 2 },
  admission: { signatures: "optional" },
  retry: { firstDelaySeconds: 0 },
  // It may lie in a small file system in memory.
  limits: { diskReserveMiB: 0 },
};

/**
 * A throw-away installation with fake backends, whose commands run in this very process, from their
 * command line to their exit code. One command at a time.
 */
export class InProcess {
  readonly root: string;
  readonly state: string;
  /** Aborted, it interrupts what runs, as SIGTERM does. */
  stop = new AbortController();
  readonly #config: string;

  private constructor() {
    // In memory where there is room: no test of ours waits for a disk.
    const memory = "/dev/shm";
    const place = existsSync(memory) ? memory : tmpdir();
    this.root = mkdtempSync(join(place, "uci-here-"));
    this.state = join(this.root, "state");
    this.#config = join(this.root, "config.json");
  }

  /**
   * One that has been set up by `init`.
   *
   * @param config beside the usual one, setting by setting
   */
  static async init(config: object = {}): Promise<InProcess> {
    const made = new InProcess();
    made.configure(config);
    await made.ok("init");
    return made;
  }

  /** Another one, which begins with a copy of this one's state. */
  copy(config: object = {}): InProcess {
    const made = new InProcess();
    cpSync(this.state, made.state, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    });
    made.configure(config);
    return made;
  }

  /** Changes the configuration to this, beside the usual one. */
  configure(config: object): void {
    writeFileSync(this.#config, JSON.stringify({ ...usual, ...config }), {
      mode: 0o600,
    });
  }

  /** Runs a command to its end. */
  async run(...args: string[]): Promise<Ended> {
    const said = { stdout: "", stderr: "" };
    const spies = (["stdout", "stderr"] as const).map((stream) =>
      vi
        .spyOn(process[stream], "write")
        .mockImplementation((piece: string | Uint8Array, ...more) => {
          said[stream] += Buffer.from(piece).toString();
          const done = more.at(-1);
          if (typeof done === "function") process.nextTick(done);
          return true;
        }),
    );
    const { exitCode } = process;
    const umask = process.umask(0o077);
    process.exitCode = undefined;
    const call = new ProgramCall(this.stop.signal, () => {
      throw new Error("no other process goes on in its place");
    });
    try {
      await call.run(["node", "ubuntu-ci", ...this.#global(), ...args]);
      return { code: exitCodeNow(), ...said };
    } finally {
      call.close();
      process.umask(umask);
      process.exitCode = exitCode;
      for (const spy of spies) spy.mockRestore();
    }
  }

  /** Runs a command that has to succeed, and returns what it printed. */
  async ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.run(...args);
    if (code !== 0)
      throw new Error(
        `ubuntu-ci ${args.join(" ")} ended with ${String(code)}: ${stderr}${stdout}`,
      );
    return stdout.trim();
  }

  /** Runs a command with --json; its exit code, and the document that it printed. */
  async json(
    ...args: string[]
  ): Promise<{ code: number | null; document: unknown }> {
    const { code, stdout } = await this.run(...args, "--json");
    return { code, document: JSON.parse(stdout) };
  }

  /** A command of this installation's, as hints name it. */
  line(command: string): string {
    return ["ubuntu-ci", command, ...this.#global()].join(" ");
  }

  async ticket(id: string | number): Promise<TicketDocument> {
    const { document } = await this.json("status", String(id));
    return (document as { ticket: TicketDocument }).ticket;
  }

  /** Writes a source upload, unsigned; returns the path of its .changes. */
  upload(name: string, version = "1.0", unlike: Unlike = {}): string {
    const folder = mkdtempSync(join(this.root, "upload-"));
    const tarball = `${name}_${version}.tar.xz`;
    const files = unlike.files ?? {
      [tarball]: `the source of ${name} ${version}`,
    };
    for (const [file, text] of Object.entries(files))
      writeFileSync(join(folder, file), text);
    const dsc = `${name}_${version}.dsc`;
    writeFileSync(
      join(folder, dsc),
      `Format: 3.0 (native)\nSource: ${name}\nBinary: ${name}\nArchitecture: ${unlike.architecture ?? "any"}\nVersion: ${version}\nMaintainer: Dev <dev@example.com>\n${unlike.buildDepends === undefined ? "" : `Build-Depends: ${unlike.buildDepends}\n`}Package-List:\n ${name} deb misc optional arch=any\n${checksums(folder, Object.keys(files), "")}`,
    );
    const changes = join(folder, `${name}_${version}_source.changes`);
    writeFileSync(
      changes,
      `Format: 1.8\nDate: Thu, 01 Jan 2026 00:00:00 +0000\nSource: ${name}\nArchitecture: source\nVersion: ${version}\nDistribution: ${unlike.distribution ?? "bookworm"}\nUrgency: medium\nMaintainer: Dev <dev@example.com>\nChanged-By: Dev <dev@example.com>\nChanges:\n ${name} (${version}) bookworm; urgency=medium\n${checksums(folder, [dsc, ...(unlike.uploaded ?? Object.keys(files))], "misc optional ")}`,
    );
    return changes;
  }

  /** Creates a ticket for a new upload; its number. */
  create(name: string, version = "1.0", ...options: string[]): Promise<string> {
    const changes = this.upload(name, version);
    const title = `land ${name}`;
    return this.ok("create_ticket", "-t", title, "-s", changes, ...options);
  }

  /** Where a file of the data store is. */
  stored({ container, name }: FileRef): string {
    return join(this.state, "store", container, name);
  }

  /** Changes the state file behind the program's back: as a crash or a person left it, or as time does. */
  sql(statement: string, ...values: unknown[]): unknown[] {
    const db = new Database(join(this.state, "state.sqlite"));
    try {
      db.pragma("foreign_keys = OFF");
      const prepared = db.prepare(statement);
      if (prepared.reader) return prepared.all(...values);
      prepared.run(...values);
      return [];
    } finally {
      db.close();
    }
  }

  /**
   * Leaves a run open whose process is gone, as when it was killed at the beginning of its step.
   *
   * @returns the ticket that it worked on
   */
  killedAt(step: WorkStepCode): number {
    const db = openDatabase(join(this.state, "state.sqlite"));
    try {
      const process = { ...thisProcess(), process_start: "another one's" };
      const lease = takeLease(db, step, process, { concurrency: 9 });
      if (lease === null) throw new Error(`nothing is ready at ${step}`);
      return lease.ticket;
    } finally {
      db.close();
    }
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }

  #global(): string[] {
    return ["--state-dir", this.state, "--config", this.#config];
  }
}

/** The exit code that this process would end with. */
const exitCodeNow = () => Number(process.exitCode ?? 0);

/** The three lists of files that a .dsc or .changes has. */
function checksums(
  folder: string,
  names: readonly string[],
  words: string,
): string {
  const lines = (kind: string, between: string) =>
    names
      .map((name) => {
        const data = readFileSync(join(folder, name));
        const hash = createHash(kind).update(data).digest("hex");
        return ` ${hash} ${data.length} ${between}${name}\n`;
      })
      .join("");
  return `Checksums-Sha1:\n${lines("sha1", "")}Checksums-Sha256:\n${lines("sha256", "")}Files:\n${lines("md5", words)}`;
}

/** A text that has that in it, for `toMatchObject`. */
export const saying = (text: string | RegExp): string =>
  (typeof text === "string"
    ? expect.stringContaining(text)
    : expect.stringMatching(text)) as string;
