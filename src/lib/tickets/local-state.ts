import type { Store } from "../backends/store/store.ts";
import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";

/** A state folder, and who acts on it. */
export interface Installed {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  readonly actor: string;
}

/** What the local ticket system works with. */
export interface LocalState extends Installed {
  /** Opened when it is asked for: most of what is asked of a state is not in it. */
  readonly store: () => Promise<Store>;
}
