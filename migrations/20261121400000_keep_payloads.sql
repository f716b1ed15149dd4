-- Why: arguments and results outlive the program that wrote them, and lie on disks that others may read. A job whose kind
-- or version a worker does not know is parked until one comes that does; a tenant's payloads can be encrypted; and a
-- tenant can ask for its history to be kept for less long.
--
-- docs/payloads.md has the whole; docs/decisions/0012-payloads-sealed-by-the-store.md the reasons.

-- How often in a row a worker gave it back because it knows no such kind or version; null when none did.
alter table job add parks smallint;
create index job_parked on job (kind, kind_version) where parks is not null;

alter table attempt drop constraint attempt_outcome_check;
alter table attempt add constraint attempt_outcome_check check (outcome in
    ('completed', 'retried', 'snoozed', 'parked', 'returned', 'crashed', 'cancelled', 'discarded'));

-- Of the arguments, as they were checked. What is there already is of the first version of its kind.
alter table schedule add kind_version smallint not null default 1 check (kind_version >= 1);

-- The data keys of a tenant, each wrapped by a master key that only processes know. A tenant with a key is encrypted: the
-- newest seals, all of them open. Nobody but the owner changes them.
create table tenant_key (
    tenant_id uuid not null references tenant (id) on delete cascade,
    number integer not null check (number >= 1),
    -- The name of the master key that wraps it.
    master text not null check (length(master) between 1 and 64),
    wrapped bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, number)
);
alter table tenant_key enable row level security;
create policy tenant_only on tenant_key to crewline_api using (tenant_id = (select current_tenant()));
create policy worker_sees_all on tenant_key to crewline_worker using (true);
grant select on tenant_key to crewline_api, crewline_worker;

-- Who is encrypted, with which key, and under which master keys. A process asks it every few seconds, for all tenants, so
-- that those who are not encrypted cost it nothing more; ids and names of keys are all it tells.
create function encrypted_tenants(out tenant_id uuid, out newest integer, out masters text[]) returns setof record
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select k.tenant_id, max(k.number), array_agg(distinct k.master) from public.tenant_key k group by k.tenant_id;
end;
revoke execute on function encrypted_tenants from public;
grant execute on function encrypted_tenants to crewline_api, crewline_worker;

-- How long a tenant wants its history kept: of one kind, or of all that have no rule of their own. The installation's own
-- bound, whole days that are dropped, holds besides.
create table retention (
    tenant_id uuid not null references tenant (id) on delete cascade,
    kind text check (length(kind) between 1 and 100),
    days integer not null check (days between 1 and 3650),
    updated_at timestamptz not null default clock_timestamp()
);
create unique index retention_rule on retention (tenant_id, coalesce(kind, ''));
alter table retention enable row level security;
create policy tenant_only on retention to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on retention to crewline_worker using (true);
grant select, insert, delete on retention to crewline_api;
grant select on retention to crewline_worker;

-- Deletes what a rule lets go among up to `rows_max` history rows of one day, after the one that was reached before; says
-- how many, and how far it came unless that is the end of the day. Owned by the owner of the tables: history goes by a
-- rule or not at all. What a workflow may still ask for is kept, and live jobs are not history.
create function prune_history(of_tenant uuid, of_day date, inout after_job uuid, inout after_fence integer, rows_max integer,
    out pruned integer)
language plpgsql volatile security definer set search_path = pg_catalog, public set timezone = 'UTC' as $$
declare
    looked integer;
    last_job uuid;
    last_fence integer;
begin
    with page as materialized (
        select a.job_id, a.fence, a.finished_at, a.kind, a.workflow_id from public.attempt a
        where a.tenant_id = of_tenant and a.finished_at >= of_day and a.finished_at < of_day + 1
          and (a.job_id, a.fence) > (after_job, after_fence)
        order by a.job_id, a.fence limit rows_max
    ), old as materialized (
        select page.* from page join lateral (
            select r.days from public.retention r
            where r.tenant_id = of_tenant and (r.kind = page.kind or r.kind is null)
            order by r.kind nulls last limit 1
        ) rule on page.finished_at < clock_timestamp() - make_interval(days => rule.days)
        where not exists (select from public.workflow w where w.id = page.workflow_id and w.state = 'running')
    ), gone as (
        delete from public.attempt a using old
        where a.tenant_id = of_tenant and a.job_id = old.job_id and a.fence = old.fence
          and a.finished_at = old.finished_at and a.finished_at >= of_day and a.finished_at < of_day + 1
        returning a.job_id
    ), said as (
        delete from public.job_log l using old
        where l.tenant_id = of_tenant and l.job_id = old.job_id and l.fence = old.fence and l.logged_at < of_day + 2
    )
    select (select count(*) from gone), (select count(*) from page), p.job_id, p.fence
    into pruned, looked, last_job, last_fence
    from (select 1) one left join lateral (select job_id, fence from page order by job_id desc, fence desc limit 1) p on true;
    if looked < rows_max then
        after_job := null;
        after_fence := null;
    else
        after_job := last_job;
        after_fence := last_fence;
    end if;
end
$$;
revoke execute on function prune_history from public;
grant execute on function prune_history to crewline_worker;
