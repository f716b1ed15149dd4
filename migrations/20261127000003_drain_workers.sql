-- Why: people who operate all of it see how much memory each worker uses, and tell one to end what it has and go, without a
-- way into its machine.

alter table worker add column memory_bytes bigint;
-- Since when it is asked to claim nothing more and to end. It sees that when it says that it is there.
alter table worker add column drain_requested_at timestamptz;

-- As `workers_of_installation`, which programs of the version before call.
create function workers_and_memory(of_user uuid)
returns table (
    name text, version text, queues text[], slots integer[], started_at timestamptz, seen_at timestamptz, running bigint,
    memory_bytes bigint, drain_requested_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select w.name, w.version, w.queues, w.slots, w.started_at, w.seen_at,
           (select coalesce(sum(cardinality(l.job_ids)), 0) from public.lease l where l.worker = w.name),
           w.memory_bytes, w.drain_requested_at
    from public.worker w
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by w.seen_at desc, w.name limit 1000;
end;

-- Asks a worker to end, for those who operate the whole installation; false when there is none of this name.
create function drain_worker(of_user uuid, called text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.worker set drain_requested_at = coalesce(drain_requested_at, clock_timestamp())
    where name = called and exists (
        select from public.user_role r
        where r.user_id = of_user and r.tenant_id is null and r.role in ('operator', 'admin'));
    return found;
end
$$;

revoke execute on function workers_and_memory, drain_worker from public;
grant execute on function workers_and_memory, drain_worker to crewline_api;
