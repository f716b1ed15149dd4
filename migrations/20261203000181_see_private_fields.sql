-- Why: some fields of what jobs hold are about people: addresses, what is said to somebody. Who may see payloads has to, to see how work
-- goes; those fields are for fewer. It is a permission of its own, for people and for keys. Who saw them keeps it: nobody loses what they had.

alter table api_key drop constraint api_key_scopes_check;
alter table api_key add constraint api_key_scopes_check
    check (scopes <@ array['jobs:write', 'jobs:read', 'payloads:read', 'private:read', 'queue:operate', 'admin', 'installation']);

update api_key set scopes = scopes || '{private:read}'
where 'payloads:read' = any (scopes) and not 'private:read' = any (scopes);

-- May see what fields hold that kinds call private.
alter table user_role add column sees_private boolean not null default false;
update user_role set sees_private = true where sees_payloads;

-- As before, with that.
drop function find_session(bytea, text);
create function find_session(token bytea, wanted_slug text)
returns table (
    user_id uuid, email text, name text, tenant_id uuid, tenant_slug text, tenant_name text, roles text[],
    sees_payloads boolean, sees_private boolean
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.id, u.email, u.name, t.id, t.slug, t.name, coalesce(held.roles, '{}'), coalesce(held.sees_payloads, false),
           coalesce(held.sees_private, false)
    from public.user_session s
    join public.user_account u on u.id = s.user_id
    left join public.tenant t on t.slug = wanted_slug
    left join lateral (
        select array_agg(r.role) as roles, bool_or(r.sees_payloads) as sees_payloads, bool_or(r.sees_private) as sees_private
        from public.user_role r where r.user_id = u.id and (r.tenant_id is null or r.tenant_id = t.id)) held on true
    where s.token_sha256 = token and s.expires_at > clock_timestamp() and u.disabled_at is null;
end;
revoke execute on function find_session from public;
grant execute on function find_session to crewline_api;
