-- Why: what people who operate the whole installation do at the dashboard, programs do with keys that run it: see the workers, ask one
-- to end, and read what was done. Whoever looks for one thing in a long log pages through it; no page looks at all of it.

-- As `workers_and_hosts`, for a key; none for one that does not run the installation.
create function key_sees_workers(of_key uuid)
returns table (
    name text, host text, version text, queues text[], slots integer[], started_at timestamptz, seen_at timestamptz,
    running bigint, memory_bytes bigint, drain_requested_at timestamptz
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select w.name, w.host, w.version, w.queues, w.slots, w.started_at, w.seen_at,
           (select coalesce(sum(l.jobs), 0) from public.lease l where l.worker = w.name),
           w.memory_bytes, w.drain_requested_at
    from public.worker w
    where public.key_runs_installation(of_key)
    order by w.seen_at desc, w.name limit 1000;
end;

-- As `drain_worker`, for a key.
create function key_drains_worker(of_key uuid, called text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.worker set drain_requested_at = coalesce(drain_requested_at, clock_timestamp())
    where name = called and public.key_runs_installation(of_key);
    return found;
end
$$;

-- The last entry of a chain before one; null when there is none.
create function audit_top(of_chain uuid, before bigint) returns bigint
language sql stable set search_path = pg_catalog, public
begin atomic
    select max(a.seq) from public.audit_entry a where a.chain = of_chain and a.seq < before;
end;

-- What of a chain fits, from `top` down to above `bottom`, newest first. What came of an action fits where the action does.
create function audit_lines(
    of_chain uuid, top bigint, bottom bigint, with_action text, with_target text, said_by text, since timestamptz,
    until timestamptz, most bigint
)
returns table (seq bigint, entry text, hash bytea)
language sql stable set search_path = pg_catalog, public
begin atomic
    select a.seq, a.entry, a.hash
    from public.audit_entry a
    left join public.audit_entry o on o.chain = a.chain and o.seq = (a.entry::jsonb ->> 'of')::bigint
    cross join lateral (
        select coalesce(a.entry::jsonb ->> 'action', o.entry::jsonb ->> 'action') as action,
               coalesce(a.entry::jsonb ->> 'target', o.entry::jsonb ->> 'target') as target,
               coalesce(a.entry::jsonb ->> 'by', o.entry::jsonb ->> 'by') as by,
               (a.entry::jsonb ->> 'at')::timestamptz as at
    ) said
    where a.chain = of_chain and a.seq <= top and a.seq > bottom
      and (with_action is null or said.action = with_action)
      and (with_target is null or said.target = with_target)
      and (said_by is null or said.by = said_by)
      and (since is null or said.at >= since)
      and (until is null or said.at < until)
    order by a.seq desc limit least(most, 1000);
end;

-- The same of the installation, for a key that runs it; nothing for others.
create function key_sees_audit_top(of_key uuid, before bigint) returns bigint
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select public.audit_top('00000000-0000-0000-0000-000000000000', before) where public.key_runs_installation(of_key);
end;

create function key_sees_audit_lines(
    of_key uuid, top bigint, bottom bigint, with_action text, with_target text, said_by text, since timestamptz,
    until timestamptz, most bigint
)
returns table (seq bigint, entry text, hash bytea)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select l.seq, l.entry, l.hash
    from public.audit_lines(
        '00000000-0000-0000-0000-000000000000', top, bottom, with_action, with_target, said_by, since, until, most) l
    where public.key_runs_installation(of_key)
    order by l.seq desc;
end;

revoke execute on function key_sees_workers, key_drains_worker, audit_top, audit_lines, key_sees_audit_top, key_sees_audit_lines
    from public;
grant execute on function key_sees_workers, key_drains_worker, audit_top, audit_lines, key_sees_audit_top, key_sees_audit_lines
    to crewline_api;
