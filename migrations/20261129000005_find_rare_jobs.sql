-- Why: a list of jobs by a kind or a tag that hardly any of ten million has read all of them. Which kinds a tenant ever used is
-- known from here on, and jobs with a tag are in an index, which costs those nothing that have none.

-- Kinds that a tenant has asked for; written when the first lane of a kind is made.
create table kind_used (
    tenant_id uuid not null references tenant (id) on delete cascade,
    kind text not null,
    primary key (tenant_id, kind)
);
alter table kind_used enable row level security;
create policy tenant_only on kind_used to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on kind_used to crewline_worker using (true) with check (true);
grant select, insert on kind_used to crewline_api, crewline_worker;
insert into kind_used (tenant_id, kind)
select tenant_id, kind from (select tenant_id, kind from lane union select tenant_id, kind from attempt) used
where tenant_id in (select id from tenant);

-- As before, and notes the kind.
create or replace function lane_for(
    of_tenant uuid, of_queue text, of_priority smallint, of_quarantine smallint, of_kind text, of_key text,
    of_promise_s integer
) returns integer
language plpgsql volatile as $$
begin
    insert into lane (tenant_id, queue, priority, quarantine, kind, key, promise_s)
    values (of_tenant, of_queue, of_priority, of_quarantine, of_kind, of_key, of_promise_s)
    on conflict (tenant_id, queue, priority, quarantine, kind, key, promise_s) do update set asleep_since = null
        where lane.asleep_since is not null;
    insert into share (tenant_id, queue) values (of_tenant, of_queue) on conflict do nothing;
    insert into kind_used (tenant_id, kind) values (of_tenant, of_kind) on conflict do nothing;
    return (
        select id from lane where tenant_id = of_tenant and queue = of_queue and priority = of_priority
            and quarantine = of_quarantine and kind = of_kind and key = of_key and promise_s = of_promise_s);
end
$$;

-- The tags of a job, each behind its tenant: in one index no tenant's tags are in the way of another's.
create function tags_of(of_tenant uuid, tags text[]) returns text[]
language sql immutable parallel safe
return array(select of_tenant::text || tag from unnest(tags) tag);

create index job_tagged on job using gin (tags_of(tenant_id, tags)) where tags is not null;
create index attempt_tagged on attempt using gin (tags_of(tenant_id, tags)) where tags is not null and final_state is not null;

-- The newest `most` jobs of this tenant with a tag, newest first; null when so many have it that the newest are found sooner by
-- walking. The bound is of rows that have it, so that what one page finds does not hang on where it begins.
create function jobs_tagged(wanted text, before uuid, most integer) returns uuid[]
language plpgsql stable security definer set search_path = pg_catalog, public set enable_bitmapscan = on as $$
declare
    rows_max constant integer := 20000;
    told text[] := array[public.current_tenant()::text || wanted];
    found uuid[];
begin
    select array_agg(f.id) into found from (
        select j.id from public.job j where j.tags is not null and public.tags_of(j.tenant_id, j.tags) @> told
        union all
        select a.job_id from public.attempt a
        where a.tags is not null and a.final_state is not null and public.tags_of(a.tenant_id, a.tags) @> told
        limit rows_max + 1) f;
    if cardinality(found) > rows_max then
        return null;
    end if;
    return array(select distinct id from unnest(found) id where before is null or id < before order by id desc limit most);
end
$$;
revoke execute on function jobs_tagged from public;
grant execute on function jobs_tagged to crewline_api;
