-- Why: jobs that belong together: some wait for others, and somebody wants to know when all of them are done.
--
-- A workflow is steps, a step is one job or many of a kind. The jobs of a step are put into the ledger when the steps it
-- comes after have ended. The end of a job only adds to the counts of its step, in the transaction that ends it; what
-- follows from a step that is over is decided under the lock of its workflow, by whoever comes first.
-- docs/decisions/0010-workflows-advance-by-counts.md has the reasons.

create table workflow (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (length(name) between 1 and 200),
    state text not null default 'running' check (state in ('running', 'completed', 'failed', 'cancelled')),
    jobs_total integer not null check (jobs_total >= 1),
    metadata jsonb,
    traceparent text,
    created_at timestamptz not null,
    finished_at timestamptz,
    cancel_requested_at timestamptz
);
create index workflow_of_tenant on workflow (tenant_id, id);
create index workflow_cancelling on workflow (id) where cancel_requested_at is not null and state = 'running';
create index workflow_by_end on workflow (finished_at) where finished_at is not null;

create table workflow_step (
    tenant_id uuid not null,
    workflow_id uuid not null references workflow (id) on delete cascade,
    ordinal smallint not null,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    -- Ordinals of the steps that have to end first.
    after smallint[] not null,
    state text not null check (state in ('waiting', 'running', 'completed', 'failed', 'skipped', 'cancelled')),
    -- Whether later steps run although this one failed.
    continues boolean not null,
    -- Jobs that may fail without the step failing.
    tolerate integer not null check (tolerate >= 0),
    jobs_total integer not null check (jobs_total >= 1),
    completed integer not null default 0,
    discarded integer not null default 0,
    cancelled integer not null default 0,
    -- The jobs to be made; null once they are.
    spec jsonb,
    -- Why it failed without its jobs.
    error jsonb,
    started_at timestamptz,
    finished_at timestamptz,
    primary key (workflow_id, ordinal),
    unique (workflow_id, name)
) with (fillfactor = 50);
create index workflow_step_over on workflow_step (workflow_id)
    where state = 'running' and completed + discarded + cancelled >= jobs_total;

alter table job add workflow_id uuid, add step smallint, add check ((workflow_id is null) = (step is null));
alter table attempt add workflow_id uuid, add step smallint;
create index job_of_workflow on job (workflow_id, step) where workflow_id is not null;
create index attempt_of_workflow on attempt (workflow_id, step) where workflow_id is not null and final_state is not null;

alter table workflow enable row level security;
alter table workflow_step enable row level security;
create policy tenant_only on workflow to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on workflow_step to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on workflow to crewline_worker using (true) with check (true);
create policy worker_sees_all on workflow_step to crewline_worker using (true) with check (true);

grant select, insert on workflow, workflow_step to crewline_api;
grant update (state, cancel_requested_at, finished_at) on workflow to crewline_api;
grant update (state, completed, discarded, cancelled, error, finished_at) on workflow_step to crewline_api;
grant select, update, delete on workflow, workflow_step to crewline_worker;
