import type { ExecOptions, ExecResult } from "../host/exec.ts";

/**
 * A host folder shown inside, read-only, or several as one, the topmost first. What is neither
 * readable for everybody nor of the ids that sessions have cannot be read inside.
 */
export interface Bind {
  readonly from: string | readonly string[];
  /** An absolute path inside: a folder that the layers have, or one in /run, which is made. */
  readonly to: string;
}

/** A file of its own that a session has beside its layers. What it writes there is in its upper. */
export interface GivenFile {
  /** Absolute path inside. */
  readonly path: string;
  /** Its contents, or the file on the host that it is a copy of. */
  readonly contents: string | { readonly copyOf: string };
  /** Default 0644. */
  readonly mode?: number;
}

/** What the network of a session reaches: see network.ts. */
export interface NetworkPolicy {
  /** The internet, or nothing but `hosts`. */
  readonly reach: "internet" | "mirrors";
  /** Names or addresses that are reached wherever they are: mirrors, proxies. */
  readonly hosts: readonly string[];
  /** Private networks and addresses that may be reached, as the configuration says. */
  readonly allow: readonly string[];
}

export interface SessionOptions {
  /** Root folders of the read-only layers, the topmost first, the base last. */
  readonly layers: readonly string[];
  /** A folder of this session alone, where its own folders are made. */
  readonly scratch: string;
  readonly given?: readonly GivenFile[];
  /** Absolute path inside of a folder of given files that belongs to the plain user. */
  readonly builderOwns?: string;
  readonly binds?: readonly Bind[];
  readonly hostname?: string;
  /** Show an empty /var/lib/apt/lists (50 MB of package lists slow autopkgtest down). */
  readonly hidePackageLists?: boolean;
  /** /tmp is on disk, as large as that; without it, it is in memory. */
  readonly tmpOnDisk?: boolean;
  /** The network of commands that ask for one; without it none may. */
  readonly network?: NetworkPolicy;
}

export interface RunOptions extends Pick<
  ExecOptions,
  | "env"
  | "input"
  | "inputFile"
  | "timeoutMs"
  | "signal"
  | "logFile"
  | "onLine"
  | "maxBuffer"
> {
  /** Folder inside the session; default "/". */
  readonly cwd?: string;
  /** root is the session's root, a subordinate id outside; builder is a plain user, uid 1000. */
  readonly user?: "root" | "builder";
  /** Whether the session's network is there; without it only loopback is, and it is up. Default false. */
  readonly network?: boolean;
}

/**
 * A throw-away root filesystem over layers, in namespaces of its own, opened without privileges.
 * When the process that opened it dies, in whatever way, everything inside dies with it.
 *
 * What comes out of a session (output, exit codes, files) is what those inside want it to be, as
 * soon as anything of a package has run in it.
 */
export interface Session {
  /** Host path of what was written so far (overlay upper). To be read with takeFiles, once it ended. */
  readonly upper: string;
  /** argv that runs a command inside, for tools that start it themselves (autopkgtest's auxverb). */
  enter(
    options?: Pick<RunOptions, "user" | "network" | "cwd" | "env">,
  ): Promise<readonly string[]>;
  /**
   * Runs a command inside, until it ends, whatever it leaves running. Its environment is clean: PATH,
   * HOME, LC_ALL=C.UTF-8, and `env`. At its limits everything inside is ended, and the session with it.
   */
  run(argv: readonly string[], options?: RunOptions): Promise<ExecResult>;
  /** Takes the network away from those that had it. */
  disconnect(): Promise<void>;
  /** Ends everything inside, and unless `keep` removes scratch. With `keep`, upper stays for a layer. */
  close(options?: { keep?: boolean }): Promise<void>;
}
