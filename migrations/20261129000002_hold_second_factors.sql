-- Why: secrets that are sealed lay in two forms: those of second factors with the name of their master key in a column, all others
-- with it before them. There is one form now. `*` in `totp_master` says that a secret has it; what else stands there is of before,
-- and is read until `api user seal` has made it anew. Programs of the version before refuse the code of whoever has `*`.
-- What opens calendars is among what processes need keys for, as it was before second factors came in.

alter table user_account drop constraint user_account_totp_secret_check;
alter table user_account add constraint user_account_totp_secret_check check (length(totp_secret) between 16 and 256);

create or replace function masters_of_secrets() returns setof text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select encode(substr(sealed, 1, 8), 'hex')
    from (select secret from public.webhook_source union all select previous from public.webhook_source
          union all select secret from public.webhook_endpoint union all select previous from public.webhook_endpoint
          union all select access from public.calendar_link
          union all select totp_secret from public.user_account where totp_master = '*')
        as secrets (sealed)
    where sealed <> ''
    union
    select totp_master from public.user_account where totp_master <> '*';
end;
