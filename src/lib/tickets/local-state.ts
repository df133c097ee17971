import type { Store } from "../backends/store/store.ts";
import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";

/** What the local ticket system works with. */
export interface LocalState {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  readonly actor: string;
  /** Opened when it is asked for: most of what is asked of a state is not in it. */
  readonly store: () => Promise<Store>;
}
