import type { ExecOptions, ExecResult } from "../host/exec.ts";
import type { LimitExceeded, Resources } from "./resources.ts";

/**
 * A host folder bound inside read-only; several are stacked, the topmost first. Files must be readable
 * for everybody or for the sessions' ids.
 */
export interface Bind {
  readonly from: string | readonly string[];
  /** An absolute path inside: a folder of the layers, or one in /run, which is created. */
  readonly to: string;
}

/** A file put into a session beside its layers. Changes to it go to the session's upper folder. */
export interface GivenFile {
  /** Absolute path inside. */
  readonly path: string;
  /** Its contents, or the host file to copy. */
  readonly contents: string | { readonly copyOf: string };
  /** Default 0644. */
  readonly mode?: number;
}

/** What a session can reach over the network: see network.ts. */
export interface NetworkPolicy {
  /** The internet, or nothing but `hosts`. */
  readonly reach: "internet" | "mirrors";
  /** Host names or addresses that are always reachable: mirrors, proxies. */
  readonly hosts: readonly string[];
  /** Private networks and addresses that may be reached, as the configuration says. */
  readonly allow: readonly string[];
}

export interface SessionOptions {
  /** Root folders of the read-only layers, the topmost first, the base last. */
  readonly layers: readonly string[];
  /** A folder for this session alone. */
  readonly scratch: string;
  readonly given?: readonly GivenFile[];
  /** Absolute path inside of a folder with given files; it belongs to the plain user. */
  readonly builderOwns?: string;
  readonly binds?: readonly Bind[];
  readonly hostname?: string;
  /** Puts /tmp on disk, as large as the disk, instead of in memory. */
  readonly tmpOnDisk?: boolean;
  /** What it may use; without it nothing but the machine sets limits. */
  readonly resources?: Resources;
  /** The network for commands that ask for it; without it none may. */
  readonly network?: NetworkPolicy;
}

export interface RunOptions extends Omit<
  ExecOptions,
  "account" | "cleanEnv" | "cwd" | "umask"
> {
  /** Folder inside the session; default "/". */
  readonly cwd?: string;
  /** root is the session's root, a subordinate id outside; builder is a plain user, uid 1000. */
  readonly user?: "root" | "builder";
  /** Whether the command has the session's network; otherwise only loopback. Default false. */
  readonly network?: boolean;
}

/**
 * A throw-away root filesystem over layers, in its own namespaces, opened without privileges. When the
 * process that opened it dies, everything inside dies with it.
 *
 * Once code of a package has run inside, everything from the session (output, exit codes, files) is
 * untrusted.
 */
export interface Session {
  /**
   * Host path of the overlay's upper folder, with everything written so far. Read it with takeFiles once
   * the session has ended.
   */
  readonly upper: string;
  /** argv that runs a command inside, for tools that start it themselves (autopkgtest's auxverb). */
  enter(
    options?: Pick<RunOptions, "user" | "network" | "cwd" | "env">,
  ): Promise<readonly string[]>;
  /**
   * Runs a command inside until it exits, even if it leaves processes running. Its environment is clean:
   * PATH, HOME, LC_ALL=C.UTF-8, and `env`. At its limits the whole session is ended.
   *
   * @throws LimitExceeded when the session used more than its resources allow
   */
  run(argv: readonly string[], options?: RunOptions): Promise<ExecResult>;
  /** The limit of its resources at which it was ended, if it was. */
  exceeded(): LimitExceeded | undefined;
  /** Cuts off the network from commands that had it. */
  disconnect(): Promise<void>;
  /** Ends everything inside, and removes scratch unless `keep` is set, which leaves `upper` for a layer. */
  close(options?: { keep?: boolean }): Promise<void>;
}
