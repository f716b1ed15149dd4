-- Why: a provider goes on telling of a calendar that was removed here, until its channel ends by itself, and some never do. So what is
-- needed to end it is kept until that is done.

create table calendar_farewell (
    -- The link that was removed: what opens its calendar is sealed for it.
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    provider text not null check (provider in ('google', 'microsoft', 'cronofy')),
    access bytea not null,
    -- Its channels, and what their provider calls them.
    channels uuid[] not null,
    remotes text[] not null check (cardinality(remotes) = cardinality(channels)),
    tries integer not null default 0,
    next_at timestamptz not null default clock_timestamp()
);
create index calendar_farewell_by_tenant on calendar_farewell (tenant_id);
create index calendar_farewell_due on calendar_farewell (next_at);

alter table calendar_farewell enable row level security;

create policy tenant_only on calendar_farewell to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on calendar_farewell to crewline_worker using (true) with check (true);

grant select, insert on calendar_farewell to crewline_api;
grant select, insert, update, delete on calendar_farewell to crewline_worker;

-- Whoever removes a link, or the party it is of. Not with its tenant: then there is nobody left to do it.
create function keep_farewell() returns trigger
language plpgsql set search_path = pg_catalog, public as $$
begin
    insert into calendar_farewell (id, tenant_id, provider, access, channels, remotes)
    select old.id, old.tenant_id, old.provider, old.access, array_agg(c.id order by c.id), array_agg(c.remote order by c.id)
    from calendar_channel c
    where c.link_id = old.id and c.remote is not null and old.provider in ('google', 'microsoft', 'cronofy')
        and exists (select from tenant t where t.id = old.tenant_id)
    having count(*) > 0;
    return old;
end;
$$;
create trigger keep_farewell before delete on calendar_link for each row execute function keep_farewell();

-- The master keys that somebody's secret needs, those of farewells among them.
create or replace function masters_of_secrets() returns setof text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select encode(substr(sealed, 1, 8), 'hex')
    from (select secret from public.webhook_source union all select previous from public.webhook_source
          union all select secret from public.webhook_endpoint union all select previous from public.webhook_endpoint
          union all select access from public.calendar_link union all select access from public.calendar_farewell
          union all select totp_secret from public.user_account where totp_master = '*')
        as secrets (sealed)
    where sealed <> ''
    union
    select totp_master from public.user_account where totp_master <> '*';
end;
