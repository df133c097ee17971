import type { Config } from "../config/config.ts";
import type { StatePaths } from "../host/paths.ts";
import type { Connection } from "../state/database.ts";

/** What the local ticket system works with. */
export interface LocalState {
  readonly db: Connection;
  readonly paths: StatePaths;
  readonly config: Config;
  readonly actor: string;
}
