import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import Database from "better-sqlite3";

import type { FileRef } from "../../src/lib/domain/ticket.ts";
import type { TicketDocument } from "../../src/lib/tickets/ticket-document.ts";

const here = resolve(import.meta.dirname, "../..");

/** One series, and backends that do what the settings `fake.*` say. */
export const fakeBackends = {
  series: ["bookworm"],
  builder: "fake",
  imager: "fake",
  tester: "fake",
  archiveKeeper: "fake",
};

/** How a command ended. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A throw-away installation: the real program on a state folder and a configuration of its own. */
export class Installation {
  readonly root: string;
  readonly state: string;
  /** Environment of every command, beside the test's own. */
  readonly env: Record<string, string> = {};
  /** The umask that every command is started with; by default the test's own. */
  umask: string | null = null;
  readonly #config: string;
  readonly #gnupg: string;
  readonly #program: string;

  /**
   * @param program folder of the program; default: this very one
   * @param template one whose state, configuration and keys this one begins with a copy of
   */
  constructor(config: object, program = here, template?: Installation) {
    this.#program = program;
    this.root = mkdtempSync(join(tmpdir(), "uci-"));
    if (template !== undefined)
      execFileSync("cp", ["-a", `${template.root}/.`, this.root]);
    this.state = join(this.root, "state");
    this.#config = join(this.root, "config.json");
    this.#gnupg = join(this.root, "gnupg");
    writeFileSync(this.#config, JSON.stringify(config));
    mkdirSync(this.#gnupg, { recursive: true, mode: 0o700 });
  }

  /** Runs a command to its end. */
  run(...args: string[]): Ended {
    const [command = "", ...given] = [
      ...(this.umask === null
        ? []
        : ["sh", "-c", `umask ${this.umask} && exec "$@"`, "sh"]),
      this.#bin(),
      ...this.#global(),
      ...args,
    ];
    const { status, stdout, stderr } = spawnSync(command, given, {
      encoding: "utf8",
      env: this.#env(),
      maxBuffer: 64 * 1024 * 1024,
    });
    return { code: status, stdout, stderr };
  }

  /** Runs a command that has to succeed, and returns what it printed. */
  ok(...args: string[]): string {
    const { code, stdout, stderr } = this.run(...args);
    if (code !== 0)
      throw new Error(
        `ubuntu-ci ${args.join(" ")} exited with ${String(code)}: ${stderr}${stdout}`,
      );
    return stdout.trim();
  }

  /** A command of this installation's, as hints name it. */
  line(command: string): string {
    return ["ubuntu-ci", command, ...this.#global()].join(" ");
  }

  /** Starts a command in the background. */
  start(...args: string[]) {
    return spawn(this.#bin(), [...this.#global(), ...args], {
      env: this.#env(),
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Changes the state file behind the program's back, as time or a crash does. */
  sql(change: (db: Database.Database) => void): void {
    const db = new Database(join(this.state, "state.sqlite"));
    try {
      db.transaction(() => change(db))();
    } finally {
      db.close();
    }
  }

  ticket(id: string): TicketDocument {
    const text = this.ok("status", id, "--json");
    return (JSON.parse(text) as { ticket: TicketDocument }).ticket;
  }

  /** Where a file of the data store is. */
  stored({ container, name }: FileRef): string {
    return join(this.state, "store", container, name);
  }

  /** Makes the uploader's key and has it accepted. */
  addUploader(): void {
    this.#gpg(
      "--passphrase",
      "",
      "--quick-generate-key",
      "Dev <dev@example.com>",
      "default",
      "default",
      "never",
    );
    const key = join(this.root, "dev.asc");
    writeFileSync(key, this.#gpg("--armor", "--export"));
    this.ok("uploaders", "add", key);
  }

  /** Packs a folder with a debian/ into a signed source upload; returns its .changes. */
  upload(
    name: string,
    version: string,
    files: Readonly<Record<string, string>>,
  ): string {
    const folder = mkdtempSync(join(this.root, "upload-"));
    const tree = join(folder, "tree");
    for (const [path, text] of Object.entries({
      ...files,
      "debian/source/format": "3.0 (native)\n",
      "debian/changelog": changelog(name, version),
    })) {
      mkdirSync(join(tree, path, ".."), { recursive: true });
      writeFileSync(join(tree, path), text, {
        mode: path === "debian/rules" ? 0o755 : 0o644,
      });
    }
    execFileSync("dpkg-source", ["--build", "tree"], {
      cwd: folder,
      stdio: "pipe",
    });
    const changes = join(folder, `${name}_${version}_source.changes`);
    writeFileSync(
      changes,
      execFileSync("dpkg-genchanges", ["--build=source", "-sa"], {
        cwd: tree,
        stdio: ["ignore", "pipe", "ignore"],
      }),
    );
    this.#gpg("--yes", "--output", `${changes}.asc`, "--clearsign", changes);
    execFileSync("mv", [`${changes}.asc`, changes]);
    return changes;
  }

  /** Removes everything, also what belongs to subuids. */
  remove(): void {
    spawnSync("gpgconf", ["--homedir", this.#gnupg, "--kill", "all"]);
    spawnSync("unshare", [
      "--user",
      "--map-auto",
      "--map-root-user",
      "rm",
      "-rf",
      this.root,
    ]);
    rmSync(this.root, { recursive: true, force: true });
  }

  #bin(): string {
    return join(this.#program, "bin/ubuntu-ci");
  }

  #global(): string[] {
    return ["--state-dir", this.state, "--config", this.#config];
  }

  #env(): NodeJS.ProcessEnv {
    return { ...process.env, HOME: this.root, NO_COLOR: "1", ...this.env };
  }

  #gpg(...args: string[]): Buffer {
    return execFileSync(
      "gpg",
      ["--homedir", this.#gnupg, "--batch", "--quiet", ...args],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
  }
}

function changelog(name: string, version: string): string {
  return `${name} (${version}) bookworm; urgency=medium\n\n  * Test.\n\n -- Dev <dev@example.com>  Thu, 01 Jan 2026 00:00:00 +0000\n`;
}

/** A small package of one C program, with a test that runs it. */
export function program(
  name: string,
  options: {
    main?: string;
    buildDepends?: string;
    link?: string;
    test?: string;
  } = {},
): Record<string, string> {
  const main =
    options.main ??
    '#include <stdio.h>\nint main(void) { puts("it works"); return 0; }\n';
  return {
    "main.c": main,
    Makefile: `all:\n\t$(CC) $(CFLAGS) -o ${name} main.c ${options.link ?? ""}\ninstall:\n\tinstall -D ${name} $(DESTDIR)/usr/bin/${name}\nclean:\n\trm -f ${name}\n`,
    "debian/control": `Source: ${name}\nSection: misc\nPriority: optional\nMaintainer: Dev <dev@example.com>\nBuild-Depends: debhelper-compat (= 13)${options.buildDepends === undefined ? "" : `, ${options.buildDepends}`}\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\nPackage: ${name}\nArchitecture: any\nDepends: \${shlibs:Depends}, \${misc:Depends}\nDescription: a test\n A test.\n`,
    "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
    "debian/tests/control": "Tests: works\nDepends: @\n",
    "debian/tests/works": options.test ?? `#!/bin/sh\n${name} | grep works\n`,
  };
}

/** A library package with a static library and its header. */
export function library(name: string, answer: number): Record<string, string> {
  return {
    "answer.c": `int answer(void) { return ${answer}; }\n`,
    "answer.h": "int answer(void);\n",
    Makefile: `all:\n\t$(CC) $(CFLAGS) -c answer.c\n\tar rcs lib${name}.a answer.o\ninstall:\n\tinstall -D -m644 lib${name}.a $(DESTDIR)/usr/lib/lib${name}.a\n\tinstall -D -m644 answer.h $(DESTDIR)/usr/include/answer.h\nclean:\n\trm -f *.o *.a\n`,
    "debian/control": `Source: ${name}\nSection: libs\nPriority: optional\nMaintainer: Dev <dev@example.com>\nBuild-Depends: debhelper-compat (= 13)\nStandards-Version: 4.6.2\nRules-Requires-Root: no\n\nPackage: lib${name}-dev\nArchitecture: any\nDepends: \${misc:Depends}\nDescription: a test library\n A test.\n`,
    "debian/rules": "#!/usr/bin/make -f\n%:\n\tdh $@\n",
  };
}
