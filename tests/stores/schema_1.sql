-- A database as the first schema made it: a dump, to be kept as it is.
BEGIN TRANSACTION;
CREATE TABLE "_sqlite_migrations" (
   "id" INTEGER PRIMARY KEY,
   "migration_set" TEXT,
   "name" TEXT,
   "applied_at" TEXT
);
INSERT INTO "_sqlite_migrations" VALUES(1,'aurora_scheduler','1_jobs_executions_changes','2026-03-02 00:00:00.000000+00:00');
CREATE TABLE aurora_executions (
            id TEXT PRIMARY KEY, job_id TEXT NOT NULL, generation INTEGER NOT NULL, job_name TEXT NOT NULL,
            timezone TEXT NOT NULL, scheduled INTEGER NOT NULL, last_scheduled INTEGER NOT NULL, count INTEGER NOT NULL,
            attempt INTEGER NOT NULL, "trigger" TEXT NOT NULL, status TEXT NOT NULL, reason TEXT, due INTEGER NOT NULL,
            started INTEGER, finished INTEGER, result TEXT, error TEXT, traceback TEXT, owner TEXT,
            UNIQUE (job_id, generation, scheduled, attempt)
        ) STRICT
        ;
CREATE TABLE aurora_job_changes (
            number INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL, generation INTEGER NOT NULL,
            at INTEGER NOT NULL, kind TEXT NOT NULL, detail TEXT
        ) STRICT
        ;
INSERT INTO "aurora_job_changes" VALUES(1,'cron',1,1772409600000000,'created',NULL);
INSERT INTO "aurora_job_changes" VALUES(2,'once',1,1772409600000000,'created',NULL);
INSERT INTO "aurora_job_changes" VALUES(3,'interval',1,1772409600000000,'created',NULL);
CREATE TABLE aurora_jobs (
            id TEXT PRIMARY KEY, generation INTEGER NOT NULL, version INTEGER NOT NULL,
            name TEXT NOT NULL, schedule_type TEXT NOT NULL, schedule_value TEXT NOT NULL, timezone TEXT NOT NULL,
            callback_module TEXT NOT NULL, callback_function TEXT NOT NULL, callback_file TEXT,
            callback_args TEXT NOT NULL, policies TEXT NOT NULL, tags TEXT NOT NULL,
            anchor INTEGER NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL,
            status TEXT NOT NULL, status_reason TEXT, next_fire INTEGER, runs INTEGER NOT NULL,
            retry_count INTEGER NOT NULL, last_run INTEGER, last_run_result TEXT
        ) STRICT
        ;
INSERT INTO "aurora_jobs" VALUES('cron',1,1,'cron','cron','0 9 * * *','Europe/Berlin','support.virtual','act',NULL,'{}','{}','[]',1772409600000000,1772409600000000,1772409600000000,'active',NULL,1772438400000000,0,0,NULL,NULL);
INSERT INTO "aurora_jobs" VALUES('once',1,1,'once','absolute','2030-05-28 15:00:00','Europe/Berlin','support.virtual','act',NULL,'{}','{}','[]',1772409600000000,1772409600000000,1772409600000000,'active',NULL,1906203600000000,0,0,NULL,NULL);
INSERT INTO "aurora_jobs" VALUES('interval',1,1,'interval','relative','every 1 hour','Europe/Berlin','support.virtual','act',NULL,'{}','{}','[]',1772409600000000,1772409600000000,1772409600000000,'active',NULL,1772413200000000,0,0,NULL,NULL);
CREATE UNIQUE INDEX "idx__sqlite_migrations_migration_set_name"
    ON "_sqlite_migrations" ("migration_set", "name");
CREATE INDEX aurora_jobs_by_status ON aurora_jobs (status, next_fire);
CREATE INDEX aurora_executions_by_job ON aurora_executions (job_id, id);
CREATE INDEX aurora_executions_by_status ON aurora_executions (status, id);
CREATE INDEX aurora_job_changes_by_job ON aurora_job_changes (job_id, generation);
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('aurora_job_changes',3);
COMMIT;
