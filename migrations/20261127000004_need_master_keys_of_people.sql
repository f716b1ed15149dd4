-- Why: a process that lacks the master key of somebody's second factor is not to start, as with every other secret.

create or replace function masters_of_secrets() returns setof text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select encode(substr(sealed, 1, 8), 'hex')
    from (select secret from public.webhook_source union all select previous from public.webhook_source
          union all select secret from public.webhook_endpoint union all select previous from public.webhook_endpoint
          union all select access from public.calendar_link)
        as secrets (sealed)
    where sealed <> ''
    union
    select totp_master from public.user_account where totp_master is not null;
end;
