-- Why: whoever watches the whole installation and sees something fail for one tenant asks next whether it fails for others.

create index error_group_by_kind_and_code on error_group (kind, code, last_at);

-- The tenants in whose work something of this kind failed with this code since a time, those it failed for most first, as far as
-- minutes have been summed up; for those who watch the whole installation.
create function tenants_with_error(of_user uuid, of_kind text, of_code text, since timestamptz, most bigint)
returns table (slug text, name text, failures bigint, first_at timestamptz, last_at timestamptz, in_all bigint)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, g.failures, g.first_at, g.last_at, count(*) over ()
    from public.error_group g join public.tenant t on t.id = g.tenant_id
    where g.kind = of_kind and g.code = of_code and g.last_at >= since and g.failures > 0
      and exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by g.failures desc, t.slug limit most;
end;

revoke execute on function tenants_with_error from public;
grant execute on function tenants_with_error to crewline_api;
