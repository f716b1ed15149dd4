-- Why: what opens other people's doors is sealed whether or not a tenant's payloads are: under a master key, whose name its
-- first eight bytes are. A migration has no key, so secrets of before this go; nothing was released that made them.

update webhook_source set secret = null, previous = null, previous_until = null;
update webhook_endpoint set previous = null, previous_until = null, secret = '',
    disabled_at = coalesce(disabled_at, clock_timestamp()), disabled_reason = 'its key is sealed from now on: give it a new one';
alter table webhook_source drop column secret_under, drop column previous_under;
alter table webhook_endpoint drop column secret_under, drop column previous_under;

-- The master keys that somebody's secret needs. A process asks before it starts; names of keys are all it is told.
create function masters_of_secrets() returns setof text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select distinct encode(substr(sealed, 1, 8), 'hex')
    from (select secret from public.webhook_source union all select previous from public.webhook_source
          union all select secret from public.webhook_endpoint union all select previous from public.webhook_endpoint)
        as secrets (sealed)
    where sealed <> '';
end;
revoke execute on function masters_of_secrets from public;
grant execute on function masters_of_secrets to crewline_api, crewline_worker;
