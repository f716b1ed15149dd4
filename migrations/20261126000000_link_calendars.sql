-- Why: people keep calendars elsewhere. What those say takes their time here, what is booked here stands there, and where
-- both disagree a person is told instead of one of them being overwritten.

create table calendar_link (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references membership (party_id) on delete cascade,
    provider text not null check (provider in ('caldav', 'ics')),
    -- Where it is, without what opens it.
    host text not null check (length(host) between 1 and 253),
    -- Address, user and password, sealed under a master key.
    access bytea not null,
    -- Whether bookings are written into it.
    is_written boolean not null,
    -- What was found at the address, and up to where it was read.
    collection text check (octet_length(collection) <= 2000),
    token text check (octet_length(token) <= 4000),
    -- Counts readings, so that one that was overtaken is not written down.
    reading integer not null default 0,
    read_at timestamptz,
    next_pull_at timestamptz not null default clock_timestamp(),
    -- Entries that were not understood and count as busy.
    doubts integer not null default 0,
    problem text check (length(problem) between 1 and 500),
    failing_since timestamptz,
    is_refused boolean not null default false,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    check ((problem is null) = (failing_since is null)),
    check (problem is not null or not is_refused)
);
create index calendar_link_by_tenant on calendar_link (tenant_id, id);
create index calendar_link_by_party on calendar_link (tenant_id, party_id, id);
create index calendar_link_due on calendar_link (next_pull_at);

-- What was read: when entries are, and nothing of what they are about.
create table calendar_object (
    tenant_id uuid not null references tenant (id) on delete cascade,
    link_id uuid not null references calendar_link (id) on delete cascade,
    href text not null check (octet_length(href) <= 2000),
    etag text not null check (octet_length(etag) <= 1000),
    events jsonb not null,
    primary key (link_id, href)
);
create index calendar_object_by_tenant on calendar_object (tenant_id);

-- Which calendar said so; none for what a caller said.
alter table absence add column link_id uuid references calendar_link (id) on delete cascade;
create index absence_by_link on absence (link_id) where link_id is not null;

-- A booking in a calendar: what is wished for, and what stands there.
create table calendar_push (
    tenant_id uuid not null references tenant (id) on delete cascade,
    link_id uuid not null references calendar_link (id) on delete cascade,
    booking_id uuid not null references booking (id) on delete cascade,
    -- Counts changes of the booking that the calendar has to learn of.
    wish integer not null default 1,
    state text not null default 'pending' check (state in ('pending', 'done', 'conflict')),
    -- A person said that what is booked here holds.
    is_forced boolean not null default false,
    href text check (octet_length(href) <= 2000),
    etag text check (octet_length(etag) <= 1000),
    asked_wish integer not null default 0,
    asked_at timestamptz,
    primary key (link_id, booking_id)
);
create index calendar_push_by_tenant on calendar_push (tenant_id, booking_id);
create index calendar_push_pending on calendar_push (link_id) where state = 'pending';

create table calendar_feed (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references membership (party_id) on delete cascade,
    secret_sha256 bytea not null unique check (length(secret_sha256) = 32),
    -- Counts changes that the file has to show; which of them it shows; which of them somebody was asked to write.
    wish integer not null default 1,
    shown_wish integer not null default 0,
    asked_wish integer not null default 0,
    asked_at timestamptz,
    body text,
    etag text check (octet_length(etag) <= 100),
    created_by text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index calendar_feed_by_tenant on calendar_feed (tenant_id, id);
create index calendar_feed_by_party on calendar_feed (tenant_id, party_id, id);
create index calendar_feed_waiting on calendar_feed (id) where shown_wish < wish;

-- For a person to see to.
create table calendar_conflict (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    link_id uuid not null references calendar_link (id) on delete cascade,
    booking_id uuid not null references booking (id) on delete cascade,
    -- overlap: something else is at that time. edited, removed: a person did that there to what we wrote.
    kind text not null check (kind in ('overlap', 'edited', 'removed')),
    -- What tells one of its kind from another: what somebody left as it is does not come again.
    mark text not null check (octet_length(mark) <= 1000),
    found_at timestamptz not null default clock_timestamp(),
    resolved_at timestamptz,
    -- gone: it passed by itself. ours, theirs: what a person said.
    resolution text check (resolution in ('gone', 'ours', 'theirs')),
    check ((resolved_at is null) = (resolution is null)),
    unique (link_id, booking_id, kind, mark)
);
create index calendar_conflict_open on calendar_conflict (tenant_id, id) where resolved_at is null;
create index calendar_conflict_by_booking on calendar_conflict (booking_id);

-- The master keys that somebody's secret needs, those of calendars among them.
create or replace function masters_of_secrets() returns setof text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select distinct encode(substr(sealed, 1, 8), 'hex')
    from (select secret from public.webhook_source union all select previous from public.webhook_source
          union all select secret from public.webhook_endpoint union all select previous from public.webhook_endpoint
          union all select access from public.calendar_link)
        as secrets (sealed)
    where sealed <> '';
end;

-- Whoever has the secret reads the feed; whose it is they do not say.
create function calendar_feed_of(wanted bytea) returns table (tenant_id uuid, id uuid)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select f.tenant_id, f.id from public.calendar_feed f where f.secret_sha256 = wanted;
end;
revoke execute on function calendar_feed_of from public;
grant execute on function calendar_feed_of to crewline_api;

alter table calendar_link enable row level security;
alter table calendar_object enable row level security;
alter table calendar_push enable row level security;
alter table calendar_feed enable row level security;
alter table calendar_conflict enable row level security;

create policy tenant_only on calendar_link to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on calendar_object to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on calendar_push to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on calendar_feed to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on calendar_conflict to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on calendar_link to crewline_worker using (true) with check (true);
create policy worker_sees_all on calendar_object to crewline_worker using (true) with check (true);
create policy worker_sees_all on calendar_push to crewline_worker using (true) with check (true);
create policy worker_sees_all on calendar_feed to crewline_worker using (true) with check (true);
create policy worker_sees_all on calendar_conflict to crewline_worker using (true) with check (true);

grant select, insert, update, delete on calendar_link, calendar_feed to crewline_api;
grant select on calendar_object to crewline_api;
grant select, insert, update on calendar_push, calendar_conflict to crewline_api;
grant select, update on calendar_link, calendar_feed to crewline_worker;
grant select, insert, update, delete on calendar_object to crewline_worker;
grant select, insert, update on calendar_push, calendar_conflict to crewline_worker;
grant insert, delete on absence to crewline_worker;
grant update (calendar_read_at) on membership to crewline_worker;
