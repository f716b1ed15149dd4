-- Why: whoever sees in the middle of a bulk operation that something is odd wants to look before it goes on; and whoever sees
-- afterwards that it was wrong wants it taken back. A paused operation is taken in hand by nobody until it is resumed. Which jobs
-- an operation ended or moved is kept for a while, so that another operation can begin those again, or move them back.

alter table bulk_operation
    add column paused_at timestamptz,
    add column paused_by text check (length(paused_by) between 1 and 200),
    -- How long it was paused before now, in milliseconds: that tells nothing of how fast it is.
    add column paused_ms bigint not null default 0 check (paused_ms >= 0),
    drop constraint bulk_operation_state_check,
    add constraint bulk_operation_state_check check (state in ('waiting', 'running', 'paused', 'completed', 'cancelled', 'failed')),
    drop constraint bulk_operation_check,
    add constraint bulk_operation_ends check ((state in ('waiting', 'running', 'paused')) = (finished_at is null)),
    add constraint bulk_operation_pauses check ((state = 'paused') = (paused_at is not null));
create index bulk_operation_open on bulk_operation (tenant_id) where state in ('waiting', 'running', 'paused');
grant update (paused_at, paused_by, paused_ms) on bulk_operation to crewline_api;

-- A job that an operation ended or moved: which of its lives, and what its priority was before. Written with the batch.
create table bulk_change (
    operation_id uuid not null references bulk_operation (id) on delete cascade,
    job_id uuid not null,
    tenant_id uuid not null,
    fence integer not null,
    priority smallint not null check (priority between 1 and 4),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (operation_id, job_id)
);
create index bulk_change_by_age on bulk_change using brin (changed_at);

alter table bulk_change enable row level security;
create policy tenant_only on bulk_change to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on bulk_change to crewline_worker using (true) with check (true);
grant select on bulk_change to crewline_api;
grant select, insert, delete on bulk_change to crewline_worker;
