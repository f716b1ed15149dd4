-- Why: whoever keeps a calendar can say at once that it changed. Else nobody knows for ten minutes that a time is taken.

-- Where a provider says so. The id is in the address that is called.
create table calendar_channel (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    link_id uuid not null references calendar_link (id) on delete cascade,
    -- Of what its provider repeats in each call.
    secret_sha256 bytea not null check (length(secret_sha256) = 32),
    -- What its provider calls it, and until when it calls; none until it said so.
    remote text check (octet_length(remote) <= 1000),
    expires_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    check ((remote is null) = (expires_at is null))
);
create index calendar_channel_by_tenant on calendar_channel (tenant_id, id);
create index calendar_channel_by_link on calendar_channel (link_id);

-- When a provider is asked to say so from then on; never where nobody can be asked.
alter table calendar_link add column renew_at timestamptz not null default 'infinity';
update calendar_link set renew_at = clock_timestamp() where provider in ('google', 'microsoft', 'cronofy');
create index calendar_link_renewing on calendar_link (renew_at);

-- Whoever calls says which channel it is; whose it is they do not say.
create function calendar_channel_of(wanted uuid)
    returns table (tenant_id uuid, link_id uuid, provider text, secret_sha256 bytea)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select c.tenant_id, c.link_id, l.provider, c.secret_sha256
    from public.calendar_channel c join public.calendar_link l on l.id = c.link_id where c.id = wanted;
end;
revoke execute on function calendar_channel_of from public;
grant execute on function calendar_channel_of to crewline_api;

alter table calendar_channel enable row level security;

create policy tenant_only on calendar_channel to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on calendar_channel to crewline_worker using (true) with check (true);

grant select on calendar_channel to crewline_api;
grant select, insert, update, delete on calendar_channel to crewline_worker;
