-- Bookkeeping every package shares: what was migrated, loaded, rejected, checked, sent and submitted.

create schema ops;
comment on schema ops is 'Bookkeeping of the pipelines: migrations, watermarks, rejects, check results, notifications, Spark jobs.';

create table ops.schema_migration (
    collection text not null,
    version integer not null,
    name text not null,
    checksum text not null check (length(checksum) = 64),
    package_version text not null,
    baselined boolean not null default false,
    finished boolean not null default true,
    applied_by text not null default current_user,
    applied_at timestamptz not null default now(),
    duration_ms double precision not null check (duration_ms >= 0),
    primary key (collection, version),
    unique (collection, name)
);
comment on table ops.schema_migration is 'Ledger of applied migrations; an applied file whose checksum changed is refused.';
comment on column ops.schema_migration.collection is 'Who wrote it: windlass, or the name of a team''s own folder of migrations.';
comment on column ops.schema_migration.version is 'Number at the start of the migration file''s name.';
comment on column ops.schema_migration.name is 'File name without its suffix, e.g. 0001_ops.';
comment on column ops.schema_migration.checksum is 'SHA-256 of the file''s text with line ends as \n, in lower-case hex.';
comment on column ops.schema_migration.package_version is 'Version of windlass-warehouse that applied it.';
comment on column ops.schema_migration.baselined is 'Whether it was only noted, because the database held its objects already.';
comment on column ops.schema_migration.finished is 'False while a migration runs outside a transaction; if it stays so, its end is not known.';
comment on column ops.schema_migration.applied_by is 'Database role that applied it.';
comment on column ops.schema_migration.applied_at is 'When it was begun.';
comment on column ops.schema_migration.duration_ms is 'Time its statements took, in milliseconds.';

create table ops.load_watermark (
    pipeline text not null,
    source_name text not null,
    watermark jsonb,
    pending jsonb,
    target_oid oid,
    rows_loaded bigint not null default 0 check (rows_loaded >= 0),
    updated_at timestamptz not null default now(),
    primary key (pipeline, source_name)
);
comment on table ops.load_watermark is 'How far each pipeline has read each source; moves in the transaction that writes the rows.';
comment on column ops.load_watermark.pipeline is 'Who reads: DAG and task, or a name given by the caller.';
comment on column ops.load_watermark.source_name is 'What is read: a table, a file prefix, an endpoint.';
comment on column ops.load_watermark.watermark is 'Position up to which everything was read, in the source''s own terms; null before the first.';
comment on column ops.load_watermark.pending is 'Higher position that counts once the transactions that were in flight have ended; null when there is none.';
comment on column ops.load_watermark.target_oid is 'Object id of the table the rows went to: one that was created anew is filled from the start.';
comment on column ops.load_watermark.rows_loaded is 'Rows the last move of the watermark brought.';
comment on column ops.load_watermark.updated_at is 'When the watermark last moved.';

create table ops.loaded_file (
    target_table text not null,
    target_oid oid not null,
    content_sha256 text not null check (length(content_sha256) = 64),
    file_name text not null,
    row_count bigint not null check (row_count >= 0),
    rejected_count bigint not null default 0 check (rejected_count >= 0),
    dag_id text,
    run_id text,
    task_id text,
    map_index integer not null default -1,
    loaded_at timestamptz not null default now(),
    primary key (target_table, content_sha256)
);
comment on table ops.loaded_file is 'Files already loaded, by content: the same bytes into the same table are loaded once.';
comment on column ops.loaded_file.target_table is 'Table the rows went to, schema.name, each part quoted where needed.';
comment on column ops.loaded_file.target_oid is 'Its object id: a table that was dropped and created again has none of its namesake''s files.';
comment on column ops.loaded_file.content_sha256 is 'SHA-256 of the file''s bytes, in lower-case hex.';
comment on column ops.loaded_file.file_name is 'Name of the file as it was loaded, without its folder.';
comment on column ops.loaded_file.row_count is 'Rows the file brought.';
comment on column ops.loaded_file.rejected_count is 'Rows of the file that were rejected instead, in ops.rejected_file_row.';
comment on column ops.loaded_file.dag_id is 'DAG that loaded it; null outside Airflow.';
comment on column ops.loaded_file.run_id is 'DAG run that loaded it; null outside Airflow.';
comment on column ops.loaded_file.task_id is 'Task that loaded it; null outside Airflow.';
comment on column ops.loaded_file.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.loaded_file.loaded_at is 'When it was loaded.';

create table ops.rejected_file_row (
    target_table text not null,
    content_sha256 text not null check (length(content_sha256) = 64),
    line bigint not null check (line >= 1),
    file_name text not null,
    problems jsonb not null check (jsonb_typeof(problems) = 'array' and jsonb_array_length(problems) >= 1),
    record text not null,
    dag_id text,
    run_id text,
    task_id text,
    map_index integer not null default -1,
    rejected_at timestamptz not null default now(),
    primary key (target_table, content_sha256, line)
);
comment on table ops.rejected_file_row is 'Dead letters: rows of files that could not be landed, each with its place and reasons.';
comment on column ops.rejected_file_row.target_table is 'Table the row was meant for, schema.name, each part quoted where needed.';
comment on column ops.rejected_file_row.content_sha256 is 'SHA-256 of the file''s bytes, in lower-case hex.';
comment on column ops.rejected_file_row.line is 'Line of the file its record begins on, from 1; of a Parquet file the row.';
comment on column ops.rejected_file_row.file_name is 'Name of the file as it was loaded, without its folder.';
comment on column ops.rejected_file_row.problems is 'Array of {"line","column","message"}, at least one; line and column of the file, from 1.';
comment on column ops.rejected_file_row.record is 'The record as it stands in the file; the beginning of a very long one, and U+FFFD for what is no text.';
comment on column ops.rejected_file_row.dag_id is 'DAG that rejected it; null outside Airflow.';
comment on column ops.rejected_file_row.run_id is 'DAG run that rejected it; null outside Airflow.';
comment on column ops.rejected_file_row.task_id is 'Task that rejected it; null outside Airflow.';
comment on column ops.rejected_file_row.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.rejected_file_row.rejected_at is 'When it was rejected.';

create table ops.scd2_target (
    target_table text primary key,
    target_oid oid not null,
    mode text not null check (mode in ('snapshot', 'changes')),
    key_columns text [] not null check (cardinality(key_columns) >= 1),
    has_versions boolean not null,
    applied_at timestamptz not null default now()
);
comment on table ops.scd2_target is 'Slowly changing dimensions and how their history is kept; what is noted of them holds for this table, key and mode alone.';
comment on column ops.scd2_target.target_table is 'The dimension, schema.name, each part quoted where needed.';
comment on column ops.scd2_target.target_oid is 'Its object id: a table that was dropped and created again begins anew.';
comment on column ops.scd2_target.mode is 'snapshot: each application shows the whole state at an instant. changes: each row says how its key is from then on.';
comment on column ops.scd2_target.key_columns is 'Columns of its natural key, in the order of scd2_mark.row_key.';
comment on column ops.scd2_target.has_versions is 'Whether it had rows after the last application: one found empty later was emptied by somebody, and begins anew.';
comment on column ops.scd2_target.applied_at is 'When something was applied to it last.';

create table ops.scd2_snapshot (
    target_table text not null,
    target_oid oid not null,
    as_of timestamptz not null,
    row_count bigint not null check (row_count >= 0),
    dag_id text,
    run_id text,
    task_id text,
    map_index integer not null default -1,
    applied_at timestamptz not null default now(),
    primary key (target_table, as_of)
);
comment on table ops.scd2_snapshot is 'Snapshots applied to each slowly changing dimension: what lets one that arrives late take its place in the history.';
comment on column ops.scd2_snapshot.target_table is 'The dimension, schema.name, each part quoted where needed.';
comment on column ops.scd2_snapshot.target_oid is 'Its object id: a table that was dropped and created again has none of its namesake''s snapshots.';
comment on column ops.scd2_snapshot.as_of is 'The instant whose state the snapshot shows.';
comment on column ops.scd2_snapshot.row_count is 'Rows of the snapshot.';
comment on column ops.scd2_snapshot.dag_id is 'DAG that applied it last; null outside Airflow.';
comment on column ops.scd2_snapshot.run_id is 'DAG run that applied it last; null outside Airflow.';
comment on column ops.scd2_snapshot.task_id is 'Task that applied it last; null outside Airflow.';
comment on column ops.scd2_snapshot.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.scd2_snapshot.applied_at is 'When it was applied last.';

create table ops.scd2_mark (
    target_table text not null,
    target_oid oid not null,
    row_key jsonb not null,
    effective_at timestamptz not null,
    is_deletion boolean not null,
    noted_at timestamptz not null default now(),
    primary key (target_table, row_key, effective_at)
);
comment on table ops.scd2_mark is 'What was said of a key and changed nothing yet, but must be known when an earlier change arrives late.';
comment on column ops.scd2_mark.target_table is 'The dimension, schema.name, each part quoted where needed.';
comment on column ops.scd2_mark.target_oid is 'Its object id: a table that was dropped and created again has none of its namesake''s marks.';
comment on column ops.scd2_mark.row_key is 'The natural key''s values, an array in the order of the key''s columns.';
comment on column ops.scd2_mark.effective_at is 'From when it holds.';
comment on column ops.scd2_mark.is_deletion is 'True: the key was gone. False: it was as it had been before.';
comment on column ops.scd2_mark.noted_at is 'When it was noted.';

create table ops.rejected_row (
    source_table text not null,
    target_table text not null,
    record_digest text not null,
    occurrence integer not null check (occurrence >= 1),
    row_key text,
    problems jsonb not null check (jsonb_typeof(problems) = 'array' and jsonb_array_length(problems) >= 1),
    record jsonb not null,
    dag_id text,
    run_id text,
    task_id text,
    map_index integer not null default -1,
    first_rejected_at timestamptz not null default now(),
    last_rejected_at timestamptz not null default now(),
    primary key (source_table, target_table, record_digest, occurrence)
);
comment on table ops.rejected_row is 'Dead letters: rows that were landed and could not be published, each with its reasons.';
comment on column ops.rejected_row.source_table is 'Table the row was landed in, schema.name.';
comment on column ops.rejected_row.target_table is 'Table the row was meant for, schema.name.';
comment on column ops.rejected_row.record_digest is 'Digest of the record''s content, so that publishing again adds nothing.';
comment on column ops.rejected_row.occurrence is 'Tells equal records apart: 1 for the first, 2 for the second.';
comment on column ops.rejected_row.row_key is 'The row''s natural key as text, null when that is what is missing.';
comment on column ops.rejected_row.problems is 'Array of {"kind","column","reason"}, at least one.';
comment on column ops.rejected_row.record is 'The record as it was landed.';
comment on column ops.rejected_row.dag_id is 'DAG that rejected it last; null outside Airflow.';
comment on column ops.rejected_row.run_id is 'DAG run that rejected it last; null outside Airflow.';
comment on column ops.rejected_row.task_id is 'Task that rejected it last; null outside Airflow.';
comment on column ops.rejected_row.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.rejected_row.first_rejected_at is 'When it was rejected for the first time.';
comment on column ops.rejected_row.last_rejected_at is 'When it was rejected most recently.';

create table ops.task_generation (
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    map_index integer not null default -1,
    generation integer not null default 1 check (generation >= 1),
    ti_id uuid not null,
    try_number integer not null check (try_number >= 0),
    max_tries integer not null,
    updated_at timestamptz not null default now(),
    primary key (dag_id, run_id, task_id, map_index)
);
comment on table ops.task_generation is 'Which generation of a task instance is at work: its retries share one, a clear or a recreated run begins the next.';
comment on column ops.task_generation.dag_id is 'DAG of the task.';
comment on column ops.task_generation.run_id is 'DAG run.';
comment on column ops.task_generation.task_id is 'Task.';
comment on column ops.task_generation.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.task_generation.generation is 'The generation, from 1.';
comment on column ops.task_generation.ti_id is 'Airflow''s id (UUID version 7) of the try that took it last.';
comment on column ops.task_generation.try_number is 'Number of that try.';
comment on column ops.task_generation.max_tries is 'Its max_tries, which only a clear raises.';
comment on column ops.task_generation.updated_at is 'When that try took it.';

create table ops.task_fence (
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    map_index integer not null default -1,
    ti_id uuid not null,
    backend_pid integer not null,
    backend_start timestamptz not null,
    acquired_at timestamptz not null default now(),
    primary key (dag_id, run_id, task_id, map_index)
);
comment on table ops.task_fence is 'Which try of a task instance may write: every writing transaction locks its row before it commits.';
comment on column ops.task_fence.dag_id is 'DAG of the task.';
comment on column ops.task_fence.run_id is 'DAG run.';
comment on column ops.task_fence.task_id is 'Task.';
comment on column ops.task_fence.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.task_fence.ti_id is 'Airflow''s id (UUID version 7, ordered by time) of the latest try.';
comment on column ops.task_fence.backend_pid is 'Process id of the database session that took the fence.';
comment on column ops.task_fence.backend_start is 'When that session began; tells it from a later one with the same process id.';
comment on column ops.task_fence.acquired_at is 'When that try took it.';

create table ops.quality_check_result (
    result_id bigint generated always as identity primary key,
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    map_index integer not null default -1,
    try_number integer not null default 1 check (try_number >= 0),
    max_tries integer,
    ti_id uuid,
    generation integer not null default 1 check (generation >= 1),
    check_name text not null,
    check_kind text not null,
    table_name text not null,
    column_name text,
    object_key text,
    status text not null check (status in ('passed', 'warned', 'failed', 'error')),
    observed jsonb,
    expected jsonb,
    message text,
    checked_at timestamptz not null default now(),
    constraint quality_check_result_identity unique nulls not distinct
    (dag_id, run_id, task_id, map_index, generation, check_name, table_name, column_name, object_key)
);
comment on table ops.quality_check_result is 'Outcome of every data-quality check, written before the task that ran it raises or returns.';
comment on column ops.quality_check_result.result_id is 'Surrogate key.';
comment on column ops.quality_check_result.dag_id is 'DAG of the task that checked.';
comment on column ops.quality_check_result.run_id is 'DAG run of the task that checked.';
comment on column ops.quality_check_result.task_id is 'Task that checked.';
comment on column ops.quality_check_result.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.quality_check_result.try_number is 'Try of the task instance that wrote the row.';
comment on column ops.quality_check_result.max_tries is 'max_tries of the task instance; null outside Airflow.';
comment on column ops.quality_check_result.ti_id is 'Airflow''s id of the try that wrote the row; null outside Airflow.';
comment on column ops.quality_check_result.generation is 'Counts the user''s clears of the task instance: retries share one, a clear begins the next.';
comment on column ops.quality_check_result.check_name is 'Name of the check in its suite.';
comment on column ops.quality_check_result.check_kind is 'Kind of anomaly the check looks for, e.g. missing_day.';
comment on column ops.quality_check_result.table_name is 'Table checked, schema.name.';
comment on column ops.quality_check_result.column_name is 'Column checked; null for a check of the table.';
comment on column ops.quality_check_result.object_key is 'What the finding is about (a day, a partition, a kind of drift); null for a check of the whole.';
comment on column ops.quality_check_result.status is 'passed, warned, failed, or error when the check could not run.';
comment on column ops.quality_check_result.observed is 'What was measured.';
comment on column ops.quality_check_result.expected is 'What was asked for.';
comment on column ops.quality_check_result.message is 'One sentence for people.';
comment on column ops.quality_check_result.checked_at is 'When the check ran.';
create index quality_check_result_by_table on ops.quality_check_result (table_name, checked_at);

create table ops.notification_log (
    idempotency_key text primary key,
    channel text not null,
    event text not null,
    dag_id text,
    run_id text,
    task_id text,
    map_index integer not null default -1,
    status text not null check (status in ('pending', 'sent', 'failed', 'unknown')),
    attempts integer not null default 0 check (attempts >= 0),
    destination text,
    subject text,
    message text,
    last_error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);
comment on table ops.notification_log is 'Every notification, recorded before it is sent, so that a retry sends nothing twice.';
comment on column ops.notification_log.idempotency_key is 'Names the notification once and for all; DAG-level events have no task in it.';
comment on column ops.notification_log.channel is 'How it is sent, e.g. email, teams, telegram.';
comment on column ops.notification_log.event is 'What it tells of, e.g. on_failure.';
comment on column ops.notification_log.dag_id is 'DAG it tells of.';
comment on column ops.notification_log.run_id is 'DAG run it tells of.';
comment on column ops.notification_log.task_id is 'Task it tells of; null for an event of the DAG run.';
comment on column ops.notification_log.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.notification_log.status is 'pending, sent, failed, or unknown when the connection was lost after sending.';
comment on column ops.notification_log.attempts is 'How often delivery was tried.';
comment on column ops.notification_log.destination is 'Where it goes, without credentials.';
comment on column ops.notification_log.subject is 'Its subject line.';
comment on column ops.notification_log.message is 'Its text as sent.';
comment on column ops.notification_log.last_error is 'Why the last attempt failed.';
comment on column ops.notification_log.created_at is 'When it was first recorded.';
comment on column ops.notification_log.updated_at is 'When its status last changed.';
create index notification_log_unsent on ops.notification_log (created_at) where status <> 'sent';

create table ops.spark_job_submission (
    submission_id bigint generated always as identity primary key,
    dag_id text not null,
    run_id text not null,
    task_id text not null,
    map_index integer not null default -1,
    try_number integer not null default 1 check (try_number >= 0),
    max_tries integer,
    ti_id uuid,
    generation integer not null default 1 check (generation >= 1),
    backend text not null,
    job_name text not null,
    external_id text,
    tracking_url text,
    state text not null check (
        state in ('submitting', 'submitted', 'running', 'succeeded', 'failed', 'killed', 'lost')
    ),
    parameters jsonb,
    metrics jsonb,
    message text,
    submitted_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint spark_job_submission_identity unique (dag_id, run_id, task_id, map_index, generation)
);
comment on table ops.spark_job_submission is 'Every Spark job, recorded before it is submitted, so that a retry finds the running one.';
comment on column ops.spark_job_submission.submission_id is 'Surrogate key.';
comment on column ops.spark_job_submission.dag_id is 'DAG of the task that submitted.';
comment on column ops.spark_job_submission.run_id is 'DAG run of the task that submitted.';
comment on column ops.spark_job_submission.task_id is 'Task that submitted.';
comment on column ops.spark_job_submission.map_index is 'Index of the mapped task instance, -1 when the task is not mapped.';
comment on column ops.spark_job_submission.try_number is 'Try of the task instance that wrote the row.';
comment on column ops.spark_job_submission.max_tries is 'max_tries of the task instance; null outside Airflow.';
comment on column ops.spark_job_submission.ti_id is 'Airflow''s id of the try that wrote the row; null outside Airflow.';
comment on column ops.spark_job_submission.generation is 'Counts the user''s clears of the task instance: retries share one, a clear begins the next.';
comment on column ops.spark_job_submission.backend is 'Where it runs: standalone, yarn, kubernetes, submit.';
comment on column ops.spark_job_submission.job_name is 'Name the cluster shows; carries the identity and the generation.';
comment on column ops.spark_job_submission.external_id is 'The cluster''s own id of the job, once known.';
comment on column ops.spark_job_submission.tracking_url is 'Where the job can be watched.';
comment on column ops.spark_job_submission.state is 'Where the job stands; lost when the cluster knows it no more.';
comment on column ops.spark_job_submission.parameters is 'What was submitted, without credentials.';
comment on column ops.spark_job_submission.metrics is 'What the job measured.';
comment on column ops.spark_job_submission.message is 'One sentence for people, e.g. why it failed.';
comment on column ops.spark_job_submission.submitted_at is 'When it was recorded.';
comment on column ops.spark_job_submission.finished_at is 'When it reached its final state.';

-- PostgreSQL 15 has no pg_input_is_valid: there each value is tried in a subtransaction.
-- jsonb_to_record runs the type's input function with its modifier, where a cast would cut a varchar silently.
create function ops.try_input(value text, type_name text) returns boolean
language plpgsql stable strict parallel unsafe
set search_path = pg_catalog
as $$
begin
    -- Refuses all that is not the name of a type, so that it can stand in the statement below.
    perform type_name::regtype;
    execute format('select r.x from jsonb_to_record(jsonb_build_object(''x'', $1)) as r (x %s)', type_name)
    using value;
    return true;
exception
    when data_exception or integrity_constraint_violation then return false;
end
$$;
comment on function ops.try_input(text, text) is
'Whether a text can be read as a type, by trying: what ops.is_valid_input does on PostgreSQL 15.';

do $$
begin
    if current_setting('server_version_num')::integer >= 160000 then
        -- One strict expression: the planner puts it in place of the call.
        execute 'create function ops.is_valid_input(value text, type_name text) returns boolean '
            'language sql stable strict parallel safe '
            'as ''select pg_catalog.pg_input_is_valid(value, type_name)''';
    else
        execute 'create function ops.is_valid_input(value text, type_name text) returns boolean '
            'language sql stable strict parallel unsafe '
            'as ''select ops.try_input(value, type_name)''';
    end if;
end
$$;
comment on function ops.is_valid_input(text, text) is
'Whether a text can be read as a type, e.g. (''12x'', ''integer'') is false; null for a null.';
