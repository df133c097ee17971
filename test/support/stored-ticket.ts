import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { localStore } from "../../src/lib/backends/store/local-store.ts";
import type { LocalStore, Stored } from "../../src/lib/backends/store/store.ts";
import type { StatePaths } from "../../src/lib/host/paths.ts";
import { statePaths } from "../../src/lib/host/paths.ts";
import type { Connection } from "../../src/lib/state/database.ts";
import { makeDatabase } from "../../src/lib/state/database.ts";
import {
  insertTicket,
  nextTicketId,
} from "../../src/lib/state/ticket-changes.ts";

/** A throw-away state in this process, with ticket 1 of hello 1.0 and its two files in the store. */
export class StoredTicket {
  readonly paths: StatePaths;
  readonly db: Connection;
  readonly store: LocalStore;

  constructor() {
    this.paths = statePaths(mkdtempSync(join(tmpdir(), "uci-stored-")));
    mkdirSync(this.paths.store);
    this.db = makeDatabase(this.paths.database);
    this.db.pragma("synchronous = OFF");
    this.store = localStore(this.paths.store, null);
  }

  /** Puts a file into the ticket's container that says its own name. */
  async put(name: string): Promise<Stored> {
    const from = join(this.paths.root, "source");
    writeFileSync(from, name);
    return this.store.put({ container: "ticket.1", name }, from);
  }

  async insert(): Promise<void> {
    const files = [
      await this.put("hello_1.0.dsc"),
      await this.put("hello_1.0.tar.xz"),
    ];
    const upload = {
      source: "hello",
      version: "1.0",
      changedBy: "Dev <dev@example.com>",
      signer: null,
      dsc: "hello_1.0.dsc",
      binaries: ["hello"],
      files,
    };
    const ticket = {
      title: "hello",
      description: "",
      owner: "dev@example.com",
      bug: null,
      series: "bookworm",
      priority: 0,
      draft: false,
      add: [],
      remove: [],
      base_image: null,
      eta: null,
      uploads: [upload],
    };
    insertTicket(this.db, nextTicketId(this.db), ticket, "me", () => undefined);
  }

  /** Names in the ticket's container. */
  async names(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.store.list("ticket.1")) names.push(name);
    return names;
  }

  remove(): void {
    this.db.close();
    rmSync(this.paths.root, { recursive: true });
  }
}
