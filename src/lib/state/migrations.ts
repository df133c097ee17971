import { firstMigrations } from "./first-migrations.ts";

/**
 * The schema as a list of migrations: migration N takes a file from user_version N-1 to N. A released
 * migration is never edited. The models are those of the original Ubuntu CI engine; run, progress, event,
 * test_result, image and publication are additions of this program.
 */
export const migrations: readonly string[] = [
  ...firstMigrations,
  // What a revert took out of the archive; overrides of what a publication would do to others.
  `
  CREATE TABLE revert (
    revision INTEGER PRIMARY KEY,
    reverts_to INTEGER NOT NULL CHECK (reverts_to < revision)
  ) STRICT;
  INSERT OR IGNORE INTO revert
    SELECT made, target FROM (
      SELECT CAST(subject_id AS INTEGER) AS made, CAST(substr(why, length('back to revision ') + 1) AS INTEGER) AS target
      FROM event WHERE subject = 'archive' AND what = 'reverted' AND why LIKE 'back to revision %')
    WHERE target < made;
  ALTER TABLE ticket ADD COLUMN undone_by INTEGER;
  WITH RECURSIVE lineage (high, low) AS (
    SELECT 9007199254740991, (SELECT max(revision) FROM revert)
    UNION ALL
    SELECT reverts_to, (SELECT max(revision) FROM revert earlier WHERE earlier.revision <= revert.reverts_to)
    FROM lineage JOIN revert ON revert.revision = lineage.low)
  UPDATE ticket SET undone_by =
      (SELECT min(revision) FROM revert WHERE revision > archive_revision AND reverts_to < archive_revision)
    WHERE archive_revision IS NOT NULL AND NOT EXISTS (
      SELECT 1 FROM lineage WHERE archive_revision <= high AND archive_revision > coalesce(low, -1));
  CREATE TABLE override_2 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket INTEGER NOT NULL REFERENCES ticket,
    kind TEXT NOT NULL CHECK (kind IN ('step', 'arch', 'test', 'takeover', 'breaks', 'older')),
    target TEXT NOT NULL,
    reason TEXT NOT NULL,
    actor TEXT NOT NULL,
    created_at TEXT NOT NULL,
    undone_at TEXT,
    undone_by TEXT
  ) STRICT;
  INSERT INTO override_2 SELECT * FROM override;
  DROP TABLE override;
  ALTER TABLE override_2 RENAME TO override;
  CREATE UNIQUE INDEX override_in_force ON override (ticket, kind, target) WHERE undone_at IS NULL;
  `,
  // Landings, what people found out about them, what was promoted; events about them.
  `
  CREATE TABLE landing (
    series TEXT NOT NULL,
    revision INTEGER NOT NULL,
    ticket INTEGER REFERENCES ticket,
    reverts_to INTEGER,
    undoes INTEGER,
    rollback_of INTEGER,
    actor TEXT,
    reason TEXT,
    landed_at TEXT NOT NULL,
    qa TEXT NOT NULL CHECK (qa IN ('needs-testing', 'ok', 'bad', 'untestable')),
    qa_until TEXT,
    note TEXT,
    since INTEGER,
    undone_by INTEGER,
    rolls_back TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (series, revision)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX landing_by_revision ON landing (revision);
  CREATE INDEX landing_doubtful ON landing (series, revision)
    WHERE since IS NOT NULL AND (qa IN ('needs-testing', 'bad') OR qa_until IS NOT NULL);
  CREATE INDEX landing_doubtful_since ON landing (series, since)
    WHERE since IS NOT NULL AND (qa IN ('needs-testing', 'bad') OR qa_until IS NOT NULL);
  CREATE INDEX landing_without_ticket ON landing (series, revision) WHERE ticket IS NULL;
  CREATE TABLE landing_past (
    series TEXT NOT NULL,
    revision INTEGER NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (series, revision, since)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX landing_ended ON landing_past (series, until);
  CREATE TABLE verdict (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    revision INTEGER NOT NULL,
    commit_hash TEXT,
    qa TEXT NOT NULL CHECK (qa IN ('needs-testing', 'ok', 'bad', 'untestable')),
    rollback_of INTEGER,
    until TEXT,
    note TEXT,
    actor TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX verdict_of_landing ON verdict (revision, id);
  CREATE INDEX verdict_of_commit ON verdict (commit_hash, id) WHERE commit_hash IS NOT NULL;
  CREATE TABLE promotion (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    series TEXT NOT NULL,
    revision INTEGER NOT NULL,
    forced INTEGER NOT NULL CHECK (forced IN (0, 1)),
    reason TEXT,
    actor TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX promotion_of_series ON promotion (series, id);
  INSERT INTO landing (series, revision, ticket, landed_at, qa, note, undone_by)
    SELECT publication.series, revision, ticket, min(publication.created_at), 'untestable',
        'it landed before there were verdicts', undone_by
    FROM publication JOIN ticket ON ticket.id = publication.ticket GROUP BY publication.series, revision;
  INSERT INTO landing (series, revision, reverts_to, rolls_back, actor, reason, landed_at, qa)
    SELECT known.series, revert.revision, revert.reverts_to,
        (SELECT json_group_array(archive_revision ORDER BY archive_revision) FROM ticket
           WHERE ticket.series = known.series AND undone_by = revert.revision),
        event.actor, event.why, coalesce(event.at, (SELECT min(created_at) FROM publication WHERE revision = revert.revision), ''),
        'untestable'
    FROM revert CROSS JOIN (SELECT DISTINCT series FROM publication) known
      LEFT JOIN event ON event.id = (SELECT max(id) FROM event
        WHERE subject = 'archive' AND subject_id = CAST(revert.revision AS TEXT) AND what = 'reverted');
  DROP TABLE revert;
  INSERT INTO landing_past
    SELECT series, revision, revision, undone_by FROM landing WHERE undone_by IS NOT NULL;
  UPDATE landing SET since = revision WHERE undone_by IS NULL;
  CREATE TABLE event_3 (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('ticket', 'ppa', 'archive', 'uploader', 'base', 'maintenance', 'lock',
      'program', 'state', 'landing', 'policy', 'reminder')),
    subject_id TEXT NOT NULL,
    what TEXT NOT NULL,
    from_state TEXT,
    to_state TEXT,
    why TEXT,
    run INTEGER,
    ticket INTEGER,
    sources TEXT
  ) STRICT;
  INSERT INTO event_3 SELECT * FROM event;
  DROP TABLE event;
  ALTER TABLE event_3 RENAME TO event;
  CREATE INDEX event_by_subject ON event (subject, subject_id, id);
  CREATE INDEX event_by_ticket ON event (ticket, id) WHERE ticket IS NOT NULL;
  CREATE TRIGGER event_is_kept BEFORE UPDATE ON event BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;
  `,
  // When owners expect their tickets to land; mails to be sent, and of what people were reminded.
  `
  ALTER TABLE ticket ADD COLUMN eta TEXT;
  CREATE INDEX ticket_failed ON ticket (updated_at) WHERE status = 'failed';
  CREATE TABLE notification (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id TEXT NOT NULL UNIQUE,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    text TEXT,
    html TEXT,
    intended_at TEXT NOT NULL,
    ended_at TEXT,
    outcome TEXT CHECK (outcome IN ('sent', 'refused')),
    trouble TEXT,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
  ) STRICT;
  CREATE INDEX notification_unsent ON notification (id) WHERE ended_at IS NULL;
  CREATE TABLE reminder (
    recipient TEXT NOT NULL,
    topic TEXT NOT NULL,
    times INTEGER NOT NULL,
    told_at TEXT NOT NULL,
    PRIMARY KEY (recipient, topic)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE news_told (
    only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
    event INTEGER NOT NULL
  ) STRICT;
  `,
  // What ended since some time, for what is kept of it: layers and bases.
  `
  CREATE INDEX ticket_by_change ON ticket (updated_at);
  `,
  // The end of an override; what was found of each requirement; the policies, the newest in force.
  `
  ALTER TABLE override ADD COLUMN until TEXT;
  DROP INDEX override_in_force;
  CREATE INDEX override_of_ticket ON override (ticket, id);
  ALTER TABLE test_result ADD COLUMN state TEXT CHECK (state IN ('pass', 'fail', 'waived'));
  CREATE TABLE finding (
    run INTEGER NOT NULL REFERENCES run,
    requirement TEXT NOT NULL CHECK (requirement IN ('built', 'image', 'tests')),
    source TEXT NOT NULL,
    architecture TEXT NOT NULL,
    result TEXT NOT NULL CHECK (result IN ('pass', 'fail', 'skip', 'flaky', 'neutral', 'missing', 'infrastructure')),
    reason TEXT,
    PRIMARY KEY (run, requirement, source)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE policy (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL,
    rules TEXT NOT NULL,
    forced INTEGER NOT NULL CHECK (forced IN (0, 1)),
    reason TEXT,
    actor TEXT NOT NULL,
    at TEXT NOT NULL
  ) STRICT;
  `,
];
