-- Why: work is given to people. What they may do, where and when is a row of the tenant they work for; whose time it is
-- may be the same for several tenants, and is protected across all of them.

create extension if not exists btree_gist;

create table membership (
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid primary key references party (id) on delete cascade,
    -- Whose time it is. Equal for one person who works for several tenants.
    account_id uuid not null,
    version integer not null default 1,
    is_active boolean not null,
    roles text[] not null,
    skills jsonb not null,
    timezone text not null check (length(timezone) between 1 and 64),
    hours jsonb not null,
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180),
    -- What lies within the radius of home, and little else; east may be past 180 degrees. None without a home.
    reach box,
    radius_m integer not null check (radius_m > 0),
    visits_max smallint check (visits_max > 0),
    minutes_max smallint check (minutes_max > 0),
    -- Preferred by the house.
    is_preferred boolean not null,
    -- When a calendar of theirs was last read; none while none is linked.
    calendar_read_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    check ((latitude is null) = (longitude is null) and (latitude is null) = (reach is null)),
    unique (tenant_id, account_id)
);
create index membership_by_tenant on membership (tenant_id, party_id);
create index membership_by_account on membership (account_id);
-- The cost of looking for candidates grows with the neighbourhood.
create index membership_by_reach on membership using gist (tenant_id, reach) where reach is not null;
create index membership_without_home on membership (tenant_id, party_id) where reach is null;

-- With this, a party of another tenant joins the account. Whoever has it was given it by the first tenant.
create table account_code (
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid primary key references party (id) on delete cascade,
    code_sha256 bytea not null unique check (length(code_sha256) = 32),
    expires_at timestamptz not null
);

create table absence (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    account_id uuid not null,
    -- busy: an appointment that a calendar outside knows.
    kind text not null check (kind in ('time_off', 'busy')),
    during tstzrange not null check (not isempty(during) and lower_inc(during) and not upper_inc(during)),
    note text not null check (length(note) <= 200),
    created_at timestamptz not null default clock_timestamp()
);
create index absence_by_party on absence (tenant_id, party_id, id);
create index absence_by_account on absence using gist (account_id, during);

-- What one says of another.
create table relation (
    tenant_id uuid not null references tenant (id) on delete cascade,
    by_party uuid not null references party (id) on delete cascade,
    about_party uuid not null references party (id) on delete cascade,
    word text not null check (word in ('preferred', 'blocked')),
    said_at timestamptz not null default clock_timestamp(),
    primary key (by_party, about_party),
    check (by_party <> about_party)
);
create index relation_by_about on relation (tenant_id, about_party);

-- What was seen of somebody. Append-only.
create table evidence (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    kind text not null check (kind in ('visit', 'no_show', 'rating')),
    on_time boolean,
    stars smallint check (stars between 1 and 5),
    happened_at timestamptz not null default clock_timestamp(),
    check ((kind = 'visit') = (on_time is not null) and (kind = 'rating') = (stars is not null))
);
create index evidence_by_party on evidence (tenant_id, party_id, happened_at);

alter table membership enable row level security;
alter table account_code enable row level security;
alter table absence enable row level security;
alter table relation enable row level security;
alter table evidence enable row level security;

create policy tenant_only on membership to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on account_code to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on absence to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on relation to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on evidence to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on membership to crewline_worker using (true) with check (true);
create policy worker_sees_all on account_code to crewline_worker using (true) with check (true);
create policy worker_sees_all on absence to crewline_worker using (true) with check (true);
create policy worker_sees_all on relation to crewline_worker using (true) with check (true);
create policy worker_sees_all on evidence to crewline_worker using (true) with check (true);

grant select, insert, update, delete on membership, account_code, absence, relation to crewline_api;
grant select, insert on evidence to crewline_api;
grant select on membership, account_code, absence, relation, evidence to crewline_worker;
