-- Why: somebody has to be known before they can be told anything: where they are reached, what they want, when they sleep.

create table party (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (length(name) between 1 and 200),
    locale text not null check (length(locale) between 2 and 35),
    -- By the IANA database; none when it is not known.
    timezone text check (length(timezone) between 1 and 64),
    -- Minutes after midnight between which nothing may ring.
    quiet_from smallint check (quiet_from between 0 and 1439),
    quiet_until smallint check (quiet_until between 0 and 1439),
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    check ((quiet_from is null) = (quiet_until is null) and quiet_from <> quiet_until)
);
create index party_by_tenant on party (tenant_id, id);

create table contact_point (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    channel text not null check (channel in ('email', 'sms', 'push', 'chat', 'in_app')),
    -- An address, a number, a token, a webhook; empty for the inbox.
    address text not null check (length(address) <= 500),
    verified_at timestamptz,
    -- Links to unsubscribe are signed with it.
    link_secret bytea not null check (length(link_secret) = 32),
    created_at timestamptz not null default clock_timestamp(),
    unique (party_id, channel, address)
);

-- What was said about messages of a category to an address, and why nothing goes there. Append-only: the last word of
-- each category counts, and one without a category is about all of them.
create table consent (
    tenant_id uuid not null references tenant (id) on delete cascade,
    contact_point_id uuid not null references contact_point (id) on delete cascade,
    number bigint generated always as identity,
    category text check (category in ('critical', 'operational', 'social', 'bulk')),
    word text not null check (word in ('granted', 'withdrawn', 'hard_bounce', 'complaint', 'stop', 'released')),
    -- Who says so: a key, a link, a provider.
    source text not null check (length(source) between 1 and 200),
    said_at timestamptz not null default clock_timestamp(),
    primary key (contact_point_id, number),
    check ((category is null) = (word in ('hard_bounce', 'complaint', 'stop', 'released')))
);

create table preference (
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    category text not null check (category in ('critical', 'operational', 'social', 'bulk')),
    channels text[] not null,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (party_id, category)
);

-- A template of the tenant's in place of the product's. Versions stay: a message names the one it was made of.
create table notification_template (
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (length(name) between 1 and 120),
    locale text not null check (length(locale) between 2 and 35),
    version integer not null check (version > 0),
    source jsonb not null,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, name, locale, version)
);

-- The one look-up that has to happen before the tenant is known: a link to unsubscribe names an address and nobody else.
create function find_contact_point(wanted uuid)
returns table (tenant_id uuid, link_secret bytea)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select c.tenant_id, c.link_secret from public.contact_point c where c.id = wanted;
end;
revoke execute on function find_contact_point from public;
grant execute on function find_contact_point to crewline_api;

alter table party enable row level security;
alter table contact_point enable row level security;
alter table consent enable row level security;
alter table preference enable row level security;
alter table notification_template enable row level security;

create policy tenant_only on party to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on contact_point to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on consent to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on preference to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on notification_template to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on party to crewline_worker using (true) with check (true);
create policy worker_sees_all on contact_point to crewline_worker using (true) with check (true);
create policy worker_sees_all on consent to crewline_worker using (true) with check (true);
create policy worker_sees_all on preference to crewline_worker using (true) with check (true);
create policy worker_sees_all on notification_template to crewline_worker using (true) with check (true);

grant select, insert, update, delete on party to crewline_api;
grant select, insert, update, delete on contact_point to crewline_api;
grant select, insert on consent to crewline_api;
grant select, insert, update, delete on preference to crewline_api;
grant select, insert on notification_template to crewline_api;
grant select on party, contact_point, preference, notification_template to crewline_worker;
grant select, insert on consent to crewline_worker;
