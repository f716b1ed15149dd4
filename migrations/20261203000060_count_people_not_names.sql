-- Why: where throwing away many jobs takes two people, names were compared, and somebody with a sign-in and a key has two of those.
-- A key is now made for a person, or for nobody. What a key does counts as done by its person.

alter table api_key add column person_id uuid references user_account (id) on delete set null;

alter table bulk_operation
    -- Who asked for it; where a key of nobody's did, who took it on. No reference: the record stays as it was.
    add column person_id uuid,
    add column taken_on_by text check (length(taken_on_by) between 1 and 200);
grant update (person_id, taken_on_by) on bulk_operation to crewline_api;
update bulk_operation o set person_id = u.id from user_account u where o.state = 'waiting' and u.email = o.requested_by;

-- As before, with whose key it is. Somebody who was taken out is nobody.
drop function find_api_key(text);
create function find_api_key(wanted text)
returns table (id uuid, tenant_id uuid, secret_sha256 bytea, scopes text[], revoked_at timestamptz, person_id uuid)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select k.id, k.tenant_id, k.secret_sha256, k.scopes, k.revoked_at, u.id
    from public.api_key k left join public.user_account u on u.id = k.person_id and u.disabled_at is null
    where k.prefix = wanted;
end;
revoke execute on function find_api_key from public;
grant execute on function find_api_key to crewline_api;

-- As before. What a key makes is the same person's: nobody becomes two by making another.
create or replace function make_key(
    of_key uuid, new_id uuid, new_prefix text, new_sha256 bytea, new_name text, new_scopes text[], most bigint
) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    -- Counted one after the other, so that two requests cannot both make the last one.
    perform 1 from public.tenant where id = public.current_tenant() for no key update;
    if not found or not public.key_administers(of_key, new_scopes) then
        return null;
    end if;
    if (select count(*) from public.api_key where tenant_id = public.current_tenant() and revoked_at is null) >= most then
        return false;
    end if;
    insert into public.api_key (id, tenant_id, prefix, secret_sha256, name, scopes, person_id)
    select new_id, public.current_tenant(), new_prefix, new_sha256, new_name, new_scopes, k.person_id
    from public.api_key k where k.id = of_key;
    return true;
end
$$;
