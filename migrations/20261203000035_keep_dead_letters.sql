-- Why: jobs that were given up have to be looked after by somebody, within a time, by a runbook. Which of them lie there is known at
-- once, however long history is, and who looks after which kind is data.

-- Jobs that were given up and have not begun again.
create table dead_letter (
    tenant_id uuid not null,
    job_id uuid not null,
    kind text not null,
    died_at timestamptz not null,
    -- No foreign keys, as those of history.
    primary key (tenant_id, job_id)
);
create index dead_letter_by_kind on dead_letter (tenant_id, kind, died_at);
create index dead_letter_by_age on dead_letter (died_at);

-- Who looks after the dead letters of a kind, how, and within what time.
create table kind_care (
    tenant_id uuid not null references tenant (id) on delete cascade,
    kind text not null,
    owner text check (length(owner) between 1 and 200),
    runbook text check (octet_length(runbook) <= 500 and runbook ~ '^https?://'),
    look_after_s integer check (look_after_s > 0),
    updated_by text not null check (length(updated_by) between 1 and 200),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, kind),
    check (num_nonnulls(owner, runbook, look_after_s) > 0)
);

-- A job is given up in many places, and there is one place where that is written down. Its end is the only row that is looked at.
create function note_dead_letter() returns trigger
language plpgsql security definer set search_path = pg_catalog, public as $$
begin
    insert into public.dead_letter (tenant_id, job_id, kind, died_at)
    values (new.tenant_id, new.job_id, new.kind, new.finished_at)
    on conflict (tenant_id, job_id) do update set died_at = excluded.died_at;
    return null;
end
$$;
create trigger note_dead_letter after insert on attempt
    for each row when (new.final_state = 'discarded') execute function note_dead_letter();

-- With history goes what lies dead in it.
create function forget_dead_letter() returns trigger
language plpgsql security definer set search_path = pg_catalog, public as $$
begin
    delete from public.dead_letter d
    where d.tenant_id = old.tenant_id and d.job_id = old.job_id and d.died_at = old.finished_at;
    return null;
end
$$;
create trigger forget_dead_letter after delete on attempt
    for each row when (old.final_state = 'discarded') execute function forget_dead_letter();
revoke execute on function note_dead_letter, forget_dead_letter from public;

-- As before, and drops the dead letters of those days.
create or replace function drop_partitions(keep_from date) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    part record;
    dropped integer := 0;
begin
    perform pg_advisory_xact_lock(2, 0);
    for part in
        select c.relname from pg_catalog.pg_inherits i
        join pg_catalog.pg_class c on c.oid = i.inhrelid
        join pg_catalog.pg_class p on p.oid = i.inhparent
        where p.relname in ('attempt', 'job_log') and p.relnamespace = 'public'::regnamespace
          and c.relname ~ '_[0-9]{8}$' and to_date(right(c.relname, 8), 'YYYYMMDD') < keep_from
    loop
        execute format('drop table public.%I', part.relname);
        dropped := dropped + 1;
    end loop;
    delete from public.attempt_default where finished_at < keep_from;
    delete from public.job_log_default where logged_at < keep_from;
    delete from public.dead_letter where died_at < keep_from;
    return dropped;
end
$$;

-- Those that lie there already.
insert into dead_letter (tenant_id, job_id, kind, died_at)
select ended.tenant_id, ended.job_id, ended.kind, ended.finished_at
from (select distinct tenant_id, job_id from attempt where final_state = 'discarded') dead
cross join lateral (
    select a.tenant_id, a.job_id, a.kind, a.finished_at, a.final_state from attempt a
    where a.tenant_id = dead.tenant_id and a.job_id = dead.job_id and a.final_state is not null
    order by a.fence desc limit 1) ended
where ended.final_state = 'discarded'
  and not exists (select from job j where j.tenant_id = dead.tenant_id and j.id = dead.job_id);

alter table dead_letter enable row level security;
alter table kind_care enable row level security;
create policy tenant_only on dead_letter to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on kind_care to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on dead_letter to crewline_worker using (true) with check (true);
-- Whoever begins a job again takes it from here.
grant select, delete on dead_letter to crewline_api, crewline_worker;
grant select, insert, update, delete on kind_care to crewline_api;
