-- Why: work that repeats. A schedule says when and what; a fire says what became of one of its slots, and its key is the
-- promise that a slot gets one job, however many processes look at it.
--
-- A schedule that is due is taken with "for update skip locked" by whichever worker process looks first. The fire, the
-- job and the next slot are one transaction, and the time is that of this server.

create table schedule (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    cron text not null check (octet_length(cron) between 1 and 200),
    timezone text not null check (octet_length(timezone) between 1 and 64),
    kind text not null,
    args jsonb not null,
    -- Null: what the kind says when the slot comes.
    queue text,
    priority smallint check (priority between 1 and 4),
    max_attempts smallint check (max_attempts between 1 and 32000),
    tags text[] not null,
    metadata jsonb,
    overlap text not null check (overlap in ('allow', 'skip', 'cancel_previous')),
    catch_up text not null check (catch_up in ('none', 'one', 'all')),
    catch_up_max smallint not null check (catch_up_max between 1 and 100),
    catch_up_age_s integer not null check (catch_up_age_s between 60 and 604800),
    paused_at timestamptz,
    paused_by text check (length(paused_by) between 1 and 200),
    pause_reason text check (length(pause_reason) between 1 and 500),
    -- The first slot that nothing was decided about. A pause leaves it standing: it is where the pause began to tell.
    next_fire_at timestamptz,
    last_fire_at timestamptz,
    created_by text not null check (length(created_by) between 1 and 200),
    updated_by text not null check (length(updated_by) between 1 and 200),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    -- Goes up whenever a person changes something.
    version integer not null default 1,
    unique (tenant_id, name),
    check ((paused_at is null) = (paused_by is null) and (paused_at is null) = (pause_reason is null))
) with (fillfactor = 70);
create index schedule_due on schedule (next_fire_at) where paused_at is null;

create table schedule_fire (
    tenant_id uuid not null,
    schedule_id uuid not null references schedule (id) on delete cascade,
    -- Slots are whole seconds; what a person started by hand has a fraction, so that it never takes a slot's place.
    slot timestamptz not null,
    -- Slots that got no jobs for one reason share a row, from slot to here.
    through timestamptz,
    outcome text not null check (outcome in
        ('enqueued', 'manual', 'duplicate', 'skipped_overlap', 'missed', 'paused', 'refused')),
    job_id uuid,
    fired_at timestamptz not null default clock_timestamp(),
    -- Who, when it was a person; why, when it was refused.
    fired_by text,
    reason text,
    primary key (schedule_id, slot)
);
-- Which of its jobs have not ended, however many slots were skipped since.
create index schedule_fire_with_job on schedule_fire (schedule_id, slot) where job_id is not null;
create index schedule_fire_by_age on schedule_fire using brin (fired_at);

alter table schedule enable row level security;
alter table schedule_fire enable row level security;

create policy tenant_only on schedule to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on schedule_fire to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on schedule to crewline_worker using (true) with check (true);
create policy worker_sees_all on schedule_fire to crewline_worker using (true) with check (true);

grant select, insert, update, delete on schedule to crewline_api;
grant select, insert on schedule_fire to crewline_api;
grant select on schedule to crewline_worker;
grant update (next_fire_at, last_fire_at, paused_at, paused_by, pause_reason) on schedule to crewline_worker;
grant select, insert, delete on schedule_fire to crewline_worker;
