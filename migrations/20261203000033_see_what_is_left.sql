-- Why: people see of every limit that holds for a tenant what is left of it, of those for the whole installation as well: a job may
-- wait for either. `waiting_facts` says as much of the limits of one job.

-- The limits that count jobs of this tenant, and how much of each is in use: for a limit by key, of the keys of this tenant that
-- are in use now, up to `keys_max`, or one row without a key.
create function limits_in_force(keys_max integer)
returns table (
    name text, whole_installation boolean, queue text, kind text, pattern text, key text, concurrency integer, running integer,
    rate_algorithm text, rate_count integer, rate_period_s real, tokens double precision, next_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select r.name, r.tenant_id is null, r.queue, r.kind, r.key, used.key, r.concurrency,
           case when r.concurrency is not null and used.key is not null then public.running_under(r, used.key, r.concurrency) end,
           r.rate_algorithm, r.rate_count, r.rate_period_s,
           case when r.rate_count is not null and used.key is not null then (public.rate_left(r, used.key)).tokens end,
           case when r.rate_count is not null and used.key is not null then (public.rate_left(r, used.key)).next_at end
    from public.limit_rule r
    left join lateral (
        select '' as key where r.key is null
        union
        (select distinct lane.key from public.lane
         where r.key is not null and lane.tenant_id = public.current_tenant() and lane.asleep_since is null
           and public.covers_key(r.key, lane.key)
         limit keys_max)) used on true
    where r.tenant_id is null or r.tenant_id = public.current_tenant()
    order by r.tenant_id is null, r.name, used.key;
end;

revoke execute on function limits_in_force from public;
grant execute on function limits_in_force to crewline_api;
