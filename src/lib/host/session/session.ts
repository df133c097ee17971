import type { ExecOptions, ExecResult } from "../exec.ts";

/**
 * A host folder or file shown inside a session. The place is made if it is missing. Root inside can
 * get at a file that is not `writable` all the same: show a copy of the session's own.
 */
export interface Bind {
  readonly from: string;
  readonly to: string;
  readonly writable: boolean;
}

export interface SessionOptions {
  /** Root folders of the read-only layers, the topmost first, the base last. */
  readonly layers: readonly string[];
  /** Folder that the session may use for its upper and work folders and mount point; made new. */
  readonly scratch: string;
  readonly binds?: readonly Bind[];
  readonly hostname?: string;
  /** Show an empty /var/lib/apt/lists (50 MB of package lists slow autopkgtest down). */
  readonly hidePackageLists?: boolean;
}

export interface RunOptions extends Pick<
  ExecOptions,
  "env" | "input" | "timeoutMs" | "signal" | "logFile" | "onLine"
> {
  /** Folder inside the session; default "/". */
  readonly cwd?: string;
  /** root is the session's root, without any privilege outside; builder is a plain user, uid 1000. */
  readonly user?: "root" | "builder";
  /** Whether the host's network is there; without it only loopback is, and it is up. Default false. */
  readonly network?: boolean;
}

/**
 * A throw-away root filesystem over layers, in namespaces of its own, opened without privileges.
 * When the process that opened it dies, in whatever way, everything inside dies with it.
 */
export interface Session {
  /** Host path of what was written so far (overlay upper): where results are collected from. */
  readonly upper: string;
  /** argv that runs a command inside, for tools that start it themselves (autopkgtest's auxverb). */
  enter(
    options?: Pick<RunOptions, "user" | "network" | "cwd" | "env">,
  ): readonly string[];
  /** Runs a command inside to its end. Its environment is clean: PATH, HOME, LC_ALL=C.UTF-8, and `env`. */
  run(argv: readonly string[], options?: RunOptions): Promise<ExecResult>;
  /** Ends everything inside, and unless `keep` removes scratch. With `keep`, upper stays for a layer. */
  close(options?: { keep?: boolean }): Promise<void>;
}
