-- Why: to retry, cancel, discard or re-prioritise whatever fits a filter, however much it is. The row is at once the
-- order, its progress and the record of who gave it.
--
-- Worker processes walk the tenant's jobs in the order of their ids. The jobs of a batch, the cursor and the counts
-- change in one transaction, so whoever goes on after a crash begins where the last commit ended. An id passes the cursor
-- once, so a job that is retried and fails again is not retried twice.

create table bulk_operation (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    action text not null check (action in ('retry', 'cancel', 'discard', 'reprioritise')),
    filter jsonb not null,
    priority smallint check (priority between 1 and 4),
    state text not null default 'running' check (state in ('running', 'completed', 'cancelled', 'failed')),
    requested_by text not null check (length(requested_by) between 1 and 200),
    -- Jobs that fitted when it began. Where they were too many to be counted for the request, workers count on.
    matched bigint not null check (matched >= 0),
    matched_exactly boolean not null,
    counted_to uuid,
    -- What the walk has met, and what became of it.
    processed bigint not null default 0,
    changed bigint not null default 0,
    skipped bigint not null default 0,
    failed bigint not null default 0,
    -- How far the walk has come.
    cursor uuid,
    -- Only jobs that were there, or had ended, before this moment.
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    -- No batch of any operation before then: other work comes first.
    rest_until timestamptz not null default '-infinity',
    finished_at timestamptz,
    cancel_requested_at timestamptz,
    cancelled_by text check (length(cancelled_by) between 1 and 200),
    error jsonb,
    check ((state = 'running') = (finished_at is null)),
    check (changed + skipped + failed = processed)
) with (fillfactor = 50);
create index bulk_operation_by_tenant on bulk_operation (tenant_id, id);
create index bulk_operation_running on bulk_operation (id) where state = 'running';

alter table bulk_operation enable row level security;

create policy tenant_only on bulk_operation to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on bulk_operation to crewline_worker using (true) with check (true);

-- What was asked for, by whom and when, nobody can change afterwards.
grant select, insert on bulk_operation to crewline_api;
grant update (state, updated_at, finished_at, cancel_requested_at, cancelled_by) on bulk_operation to crewline_api;
grant select on bulk_operation to crewline_worker;
grant update (state, matched, matched_exactly, counted_to, processed, changed, skipped, failed, cursor, updated_at, rest_until,
    finished_at, error) on bulk_operation to crewline_worker;

-- Operations act for one tenant, and see what that tenant runs as its requests do.
grant execute on function running_jobs to crewline_worker;
