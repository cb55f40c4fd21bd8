-- Databases that are looked after, what was measured of them, and what happened to them. For SQLite 3.37 or libSQL.
--
-- It may be run any number of times, by any number at once. Statements are parted by an empty line, and hold none.
-- Times are whole milliseconds since 1970 in UTC.

CREATE TABLE IF NOT EXISTS platform_migrations (
  version INTEGER NOT NULL PRIMARY KEY,
  name TEXT NOT NULL,
  applied_at_ms INTEGER NOT NULL
) STRICT;

-- A connection string is stored sealed or not at all: what is no envelope is refused.
CREATE TABLE IF NOT EXISTS platform_databases (
  id TEXT NOT NULL PRIMARY KEY CHECK (length(id) BETWEEN 1 AND 64),
  project TEXT NOT NULL CHECK (length(project) BETWEEN 1 AND 128),
  name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
  type TEXT NOT NULL CHECK (type IN ('libsql', 'sqlite', 'postgresql', 'redis', 'mongodb', 'prisma', 'd1', 'other')),
  tier TEXT NOT NULL DEFAULT 'FREE' CHECK (tier IN ('FREE', 'STARTER', 'PRO', 'ENTERPRISE')),
  connection TEXT NOT NULL CHECK (connection GLOB 'sw1.?*.?*.?*' AND length(connection) <= 16384),
  is_enabled INTEGER NOT NULL DEFAULT 1 CHECK (is_enabled IN (0, 1)),
  health TEXT NOT NULL DEFAULT 'unknown' CHECK (health IN ('unknown', 'healthy', 'degraded', 'unhealthy')),
  health_message TEXT CHECK (length(health_message) <= 1000),
  health_latency_ms REAL CHECK (health_latency_ms >= 0),
  health_checked_at_ms INTEGER CHECK (health_checked_at_ms >= 0),
  consecutive_failures INTEGER NOT NULL DEFAULT 0 CHECK (consecutive_failures >= 0),
  created_at_ms INTEGER NOT NULL CHECK (created_at_ms >= 0),
  updated_at_ms INTEGER NOT NULL CHECK (updated_at_ms >= 0),
  UNIQUE (project, name)
) STRICT;

CREATE TABLE IF NOT EXISTS platform_database_metrics (
  id INTEGER NOT NULL PRIMARY KEY,
  database_id TEXT NOT NULL REFERENCES platform_databases (id) ON DELETE CASCADE,
  metric TEXT NOT NULL CHECK (length(metric) BETWEEN 1 AND 128),
  value REAL NOT NULL CHECK (abs(value) <= 1.7976931348623157e308),
  unit TEXT NOT NULL DEFAULT '' CHECK (length(unit) <= 32),
  labels TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(labels) AND length(labels) <= 4096),
  at_ms INTEGER NOT NULL CHECK (at_ms >= 0)
) STRICT;

CREATE INDEX IF NOT EXISTS platform_database_metrics_by_series
ON platform_database_metrics (database_id, metric, at_ms);

CREATE INDEX IF NOT EXISTS platform_database_metrics_by_time
ON platform_database_metrics (at_ms);

-- The log outlives the database that it tells of, so nothing refers to that.
CREATE TABLE IF NOT EXISTS platform_database_connection_logs (
  id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  database_id TEXT NOT NULL CHECK (length(database_id) BETWEEN 1 AND 64),
  event TEXT NOT NULL CHECK (length(event) BETWEEN 1 AND 64),
  level TEXT NOT NULL DEFAULT 'info' CHECK (level IN ('debug', 'info', 'warn', 'error')),
  message TEXT CHECK (length(message) <= 1000),
  detail TEXT CHECK (json_valid(detail) AND length(detail) <= 8192),
  actor TEXT CHECK (length(actor) <= 128),
  request_id TEXT CHECK (length(request_id) <= 128),
  at_ms INTEGER NOT NULL CHECK (at_ms >= 0)
) STRICT;

CREATE INDEX IF NOT EXISTS platform_database_connection_logs_by_database
ON platform_database_connection_logs (database_id, at_ms);

CREATE INDEX IF NOT EXISTS platform_database_connection_logs_by_time
ON platform_database_connection_logs (at_ms);

-- What is older than `before_ms` may be deleted from the log. Retention sets it and puts it back in one transaction.
CREATE TABLE IF NOT EXISTS platform_log_retention (
  id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  before_ms INTEGER NOT NULL DEFAULT 0 CHECK (before_ms >= 0)
) STRICT;

INSERT INTO platform_log_retention (id, before_ms) VALUES (1, 0) ON CONFLICT (id) DO NOTHING;

-- By the server's clock. Retention keeps a day at least; the hour is for clocks that differ.
CREATE TRIGGER IF NOT EXISTS platform_log_retention_spares_the_latest_day
BEFORE UPDATE ON platform_log_retention
WHEN NEW.before_ms > unixepoch() * 1000 - 82800000
BEGIN
  SELECT RAISE(ABORT, 'platform_database_connection_logs keeps the latest 23 hours');
END;

CREATE TRIGGER IF NOT EXISTS platform_log_retention_has_one_row
BEFORE INSERT ON platform_log_retention
WHEN EXISTS (SELECT 1 FROM platform_log_retention WHERE id = NEW.id) AND NEW.before_ms > 0
BEGIN
  SELECT RAISE(ABORT, 'platform_log_retention has one row, which is updated');
END;

CREATE TRIGGER IF NOT EXISTS platform_database_connection_logs_are_never_changed
BEFORE UPDATE ON platform_database_connection_logs
BEGIN
  SELECT RAISE(ABORT, 'platform_database_connection_logs is append-only');
END;

-- INSERT OR REPLACE deletes what it replaces, and fires no trigger for that.
CREATE TRIGGER IF NOT EXISTS platform_database_connection_logs_are_never_replaced
BEFORE INSERT ON platform_database_connection_logs
WHEN EXISTS (SELECT 1 FROM platform_database_connection_logs WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'platform_database_connection_logs is append-only');
END;

CREATE TRIGGER IF NOT EXISTS platform_database_connection_logs_are_deleted_by_retention_alone
BEFORE DELETE ON platform_database_connection_logs
WHEN NOT EXISTS (SELECT 1 FROM platform_log_retention WHERE OLD.at_ms < before_ms)
BEGIN
  SELECT RAISE(ABORT, 'platform_database_connection_logs is append-only');
END;

-- Everything of a database but its connection string.
CREATE VIEW IF NOT EXISTS platform_database_health_overview AS
SELECT
  id,
  project,
  name,
  type,
  tier,
  is_enabled,
  health,
  health_message,
  health_latency_ms,
  health_checked_at_ms,
  consecutive_failures,
  (
    SELECT count(*) FROM platform_database_connection_logs AS logs
    WHERE logs.database_id = platform_databases.id
      AND logs.level = 'error'
      AND logs.at_ms >= unixepoch() * 1000 - 3600000
  ) AS errors_last_hour,
  (
    SELECT max(logs.at_ms) FROM platform_database_connection_logs AS logs
    WHERE logs.database_id = platform_databases.id
  ) AS last_event_at_ms,
  (
    SELECT max(metrics.at_ms) FROM platform_database_metrics AS metrics
    WHERE metrics.database_id = platform_databases.id
  ) AS last_metric_at_ms
FROM platform_databases;

INSERT INTO platform_migrations (version, name, applied_at_ms)
VALUES (3, '003_add_multi_database_support', unixepoch() * 1000)
ON CONFLICT (version) DO NOTHING;
