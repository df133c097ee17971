/** The first migrations of the schema (see migrations.ts): what one installation has of tickets, runs and files. */
export const firstMigrations: readonly string[] = [
  `
  CREATE TABLE person (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    is_team INTEGER NOT NULL DEFAULT 0 CHECK (is_team IN (0, 1))
  ) STRICT;
  CREATE TABLE project (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    display_name TEXT NOT NULL,
    maintainer INTEGER REFERENCES person,
    description TEXT NOT NULL DEFAULT ''
  ) STRICT;
  CREATE TABLE source_package (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    project INTEGER REFERENCES project
  ) STRICT;
  CREATE TABLE binary_package (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    source_package INTEGER NOT NULL REFERENCES source_package,
    UNIQUE (name, source_package)
  ) STRICT;
  CREATE TABLE source_package_upload (
    id INTEGER PRIMARY KEY,
    source_package INTEGER NOT NULL REFERENCES source_package,
    version TEXT NOT NULL,
    changed_by TEXT NOT NULL,
    signer TEXT,
    dsc TEXT NOT NULL
  ) STRICT;
  CREATE INDEX upload_by_source ON source_package_upload (source_package, version);
  CREATE TABLE ticket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES person,
    bug TEXT,
    series TEXT NOT NULL,
    priority INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL CHECK (step IN (100, 200, 300, 400, 500, 999, 1000)),
    status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'held', 'failed', 'done')),
    add_packages TEXT NOT NULL DEFAULT '[]',
    remove_packages TEXT NOT NULL DEFAULT '[]',
    base_image TEXT,
    base_digest TEXT,
    archive_revision INTEGER,
    failure_step INTEGER,
    failure_kind TEXT CHECK (failure_kind IN ('package', 'infrastructure')),
    failure_reason TEXT,
    failure_artifact TEXT,
    waiting_for TEXT,
    retry_at TEXT,
    tmpfails INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX ticket_to_do ON ticket (step, priority DESC, id) WHERE status = 'waiting';
  CREATE INDEX ticket_open ON ticket (step) WHERE step < 999;
  CREATE TABLE subticket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL REFERENCES ticket,
    upload INTEGER NOT NULL REFERENCES source_package_upload,
    step INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('waiting', 'running', 'held', 'failed', 'done')),
    binaries TEXT NOT NULL DEFAULT '[]'
  ) STRICT;
  CREATE INDEX subticket_by_ticket ON subticket (ticket);
  CREATE INDEX subticket_by_upload ON subticket (upload);
  CREATE TABLE artifact (
    id INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES ticket,
    subticket INTEGER REFERENCES subticket,
    name TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('SPU', 'LOGS', 'RESULTS', 'IMAGE')),
    container TEXT NOT NULL,
    size INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    created_at TEXT NOT NULL,
    UNIQUE (ticket, name)
  ) STRICT;
  CREATE TABLE ppa (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('reserved', 'dirty', 'cleaning', 'free')),
    ticket INTEGER REFERENCES ticket,
    since TEXT NOT NULL,
    CHECK ((state = 'reserved') = (ticket IS NOT NULL))
  ) STRICT;
  CREATE UNIQUE INDEX ppa_of_ticket ON ppa (ticket) WHERE ticket IS NOT NULL;
  CREATE TABLE run (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL REFERENCES ticket,
    step INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    host TEXT NOT NULL,
    pid INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    process_start TEXT NOT NULL,
    started_at TEXT NOT NULL,
    heartbeat_at TEXT NOT NULL,
    finished_at TEXT,
    outcome TEXT CHECK (outcome IN ('passed', 'failed', 'tmpfail')),
    reason TEXT,
    stages TEXT NOT NULL DEFAULT '{}',
    CHECK ((finished_at IS NULL) = (outcome IS NULL))
  ) STRICT;
  CREATE UNIQUE INDEX lease ON run (ticket) WHERE finished_at IS NULL;
  CREATE INDEX run_by_ticket ON run (ticket, id);
  CREATE TABLE progress (
    run INTEGER PRIMARY KEY REFERENCES run,
    state TEXT NOT NULL CHECK (state IN ('WAITING', 'STATUS', 'COMPLETED', 'FAILED')),
    message TEXT NOT NULL,
    current INTEGER,
    total INTEGER,
    at TEXT NOT NULL
  ) STRICT;
  CREATE TABLE event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('ticket', 'ppa', 'archive', 'uploader', 'base', 'maintenance')),
    subject_id TEXT NOT NULL,
    what TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    why TEXT,
    run INTEGER REFERENCES run
  ) STRICT;
  CREATE INDEX event_by_subject ON event (subject, subject_id, id);
  CREATE TRIGGER event_is_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
  CREATE TABLE test_result (
    id INTEGER PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES ticket,
    run INTEGER NOT NULL REFERENCES run,
    package TEXT NOT NULL,
    name TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('pass', 'fail', 'skip', 'flaky', 'neutral')),
    seconds REAL NOT NULL,
    detail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX test_by_ticket ON test_result (ticket, run);
  CREATE TABLE image (
    ticket INTEGER PRIMARY KEY REFERENCES ticket,
    layers TEXT NOT NULL,
    digest TEXT NOT NULL,
    manifest TEXT NOT NULL
  ) STRICT;
  CREATE TABLE publication (
    revision INTEGER NOT NULL,
    series TEXT NOT NULL,
    source TEXT NOT NULL,
    version TEXT NOT NULL,
    ticket INTEGER REFERENCES ticket,
    created_at TEXT NOT NULL,
    PRIMARY KEY (series, source, revision)
  ) STRICT;
  `,
  // Cancel, retry and override; expired files; up to which event the log is written.
  `
  ALTER TABLE ticket ADD COLUMN cancel_at TEXT;
  ALTER TABLE ticket ADD COLUMN cancel_by TEXT;
  ALTER TABLE ticket ADD COLUMN cancel_reason TEXT;
  ALTER TABLE ticket ADD COLUMN resume_step INTEGER CHECK (resume_step IN (100, 200, 300, 400, 500));
  ALTER TABLE run ADD COLUMN evidence TEXT;
  ALTER TABLE artifact ADD COLUMN expired_at TEXT;
  ALTER TABLE artifact ADD COLUMN expiring INTEGER NOT NULL DEFAULT 0 CHECK (expiring IN (0, 1));
  CREATE INDEX artifact_kept ON artifact (type, created_at) WHERE expired_at IS NULL;
  CREATE INDEX artifact_expiring ON artifact (id) WHERE expiring = 1;
  CREATE TABLE override (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL REFERENCES ticket,
    kind TEXT NOT NULL CHECK (kind IN ('step', 'arch', 'test')),
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at TEXT NOT NULL,
    undone_at TEXT,
    undone_by TEXT
  ) STRICT;
  CREATE UNIQUE INDEX override_in_force ON override (ticket, kind, target) WHERE undone_at IS NULL;
  CREATE INDEX ticket_blames_us ON ticket (updated_at) WHERE failure_kind = 'infrastructure';
  CREATE INDEX upload_of_source ON source_package_upload (source_package);
  CREATE INDEX run_by_step ON run (step, id) WHERE finished_at IS NOT NULL;
  CREATE TABLE log_export (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    event INTEGER NOT NULL
  ) STRICT;
  INSERT INTO log_export VALUES (1, 0);
  CREATE TABLE event_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN
      ('ticket', 'ppa', 'archive', 'uploader', 'base', 'maintenance', 'lock', 'program', 'state')),
    subject_id TEXT NOT NULL,
    what TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    why TEXT,
    run INTEGER,
    ticket INTEGER,
    sources TEXT
  ) STRICT;
  INSERT INTO event_2 SELECT *, CASE subject WHEN 'ticket' THEN CAST(subject_id AS INTEGER) END, NULL FROM event;
  DROP TABLE event;
  ALTER TABLE event_2 RENAME TO event;
  CREATE INDEX event_by_subject ON event (subject, subject_id, id);
  CREATE INDEX event_by_ticket ON event (ticket, id) WHERE ticket IS NOT NULL;
  CREATE TRIGGER event_is_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
  `,
  // Jobs at remote engines. While a ticket waits for one, its retry_at is when to poll it again.
  `
  CREATE TABLE job (
    key TEXT PRIMARY KEY,
    ticket INTEGER NOT NULL REFERENCES ticket,
    step INTEGER NOT NULL,
    remote TEXT NOT NULL,
    id TEXT,
    began_at TEXT NOT NULL,
    look_at TEXT,
    tmpfails INTEGER NOT NULL,
    unwanted INTEGER NOT NULL DEFAULT 0 CHECK (unwanted IN (0, 1))
  ) STRICT;
  CREATE UNIQUE INDEX job_of_ticket ON job (ticket) WHERE unwanted = 0;
  CREATE INDEX job_unwanted ON job (began_at) WHERE unwanted = 1;
  `,
  // The command that provides what a ticket waits for: a Remedy as JSON, or null.
  `
  ALTER TABLE ticket ADD COLUMN remedy TEXT;
  `,
  // Tickets that need a person, and drafts; both also have the status 'held'.
  `
  ALTER TABLE ticket ADD COLUMN set_aside TEXT CHECK (set_aside IN ('approval', 'repair'));
  ALTER TABLE ticket ADD COLUMN draft INTEGER NOT NULL DEFAULT 0 CHECK (draft IN (0, 1));
  CREATE INDEX ticket_set_aside ON ticket (id) WHERE set_aside IS NOT NULL;
  `,
];
