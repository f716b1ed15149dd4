-- Why: whoever looks at a job that runs for long wants to know whether its worker is still at it: who holds it, until when, and how often
-- that was made longer.

alter table lease add column beats integer not null default 0;

-- Who holds a job of this tenant that runs. Leases name jobs of many tenants, so nobody but workers may read them.
create function lease_here(of_job uuid)
returns table (worker text, claimed_at timestamptz, until timestamptz, beats integer, fence integer)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select l.worker, l.claimed_at, l.until, l.beats, held.fence
    from public.lease l
    cross join lateral unnest(l.tenant_ids, l.job_ids, l.fences) as held (tenant_id, job_id, fence)
    join public.job j on j.tenant_id = held.tenant_id and j.id = held.job_id and j.fence = held.fence
    where held.tenant_id = public.current_tenant() and l.job_ids @> array[of_job] and held.job_id = of_job
    order by l.claimed_at desc limit 1;
end;

revoke execute on function lease_here from public;
grant execute on function lease_here to crewline_api;
