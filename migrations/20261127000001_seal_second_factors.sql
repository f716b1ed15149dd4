-- Why: what a code generator and we both know lay in its row as it is. It is sealed under the master key now, where there
-- is one. Programs of the version before go on with what is not sealed yet; of what is sealed they refuse every code.

-- The master key that `totp_secret` is sealed under; null: it lies there as it is.
alter table user_account add column totp_master text;
alter table user_account drop constraint user_account_totp_secret_check;
alter table user_account add constraint user_account_totp_secret_check check (length(totp_secret) between 16 and 128);
alter table user_account add constraint user_account_totp_master_check check (totp_master is null or totp_secret is not null);

-- As `find_user`, which programs of the version before call: whom an address belongs to, before they have proved it.
create function find_claimant(wanted_email text, token bytea)
returns table (id uuid, password_hash text, totp_secret bytea, totp_master text, knows_browser boolean)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.id, u.password_hash, u.totp_secret, u.totp_master,
           exists (select from public.user_session s where s.token_sha256 = token and s.user_id = u.id
                       and s.created_at > clock_timestamp() - interval '180 days')
    from public.user_account u
    where u.email = lower(wanted_email) and u.disabled_at is null;
end;

revoke execute on function find_claimant from public;
grant execute on function find_claimant to crewline_api;
