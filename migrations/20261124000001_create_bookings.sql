-- Why: nobody is in two places at once, whoever asks at the same moment and for whichever tenant. An exclusion constraint
-- is the judge; everything else only asks it.

create table booking (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    -- The caller's name for what it is about.
    reference text not null check (length(reference) between 1 and 120),
    status text not null check (status in ('pencil', 'released', 'offered', 'void', 'confirmed', 'active', 'done', 'cancelled', 'no_show')),
    version integer not null default 1,
    during tstzrange not null check (not isempty(during) and lower_inc(during) and not upper_inc(during)),
    before_minutes smallint not null check (before_minutes >= 0),
    after_minutes smallint not null check (after_minutes >= 0),
    latitude double precision check (latitude between -90 and 90),
    longitude double precision check (longitude between -180 and 180),
    -- A pencil is released then, unless it moved before.
    held_until timestamptz,
    -- The pencil that wants this one to be confirmed or released, and until when.
    challenged_by uuid references booking (id) on delete set null,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    check ((latitude is null) = (longitude is null))
);
create index booking_by_tenant on booking (tenant_id, id);

-- Who, or what, it takes.
create table booking_resource (
    tenant_id uuid not null references tenant (id) on delete cascade,
    booking_id uuid not null references booking (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    account_id uuid not null,
    -- With buffers and ways.
    protected tstzrange not null check (not isempty(protected) and lower_inc(protected) and not upper_inc(protected)),
    primary key (booking_id, party_id)
);
create index booking_resource_by_party on booking_resource using gist (tenant_id, party_id, protected);
create index booking_resource_by_account on booking_resource (account_id);

-- What is offered, confirmed or under way, and nothing else.
create table occupied (
    tenant_id uuid not null references tenant (id) on delete cascade,
    booking_id uuid not null,
    party_id uuid not null,
    account_id uuid not null,
    protected tstzrange not null,
    primary key (booking_id, party_id),
    foreign key (booking_id, party_id) references booking_resource (booking_id, party_id) on delete cascade,
    exclude using gist (account_id with =, protected with &&)
);

-- What is taken of the time of those who work for this tenant. Of what other tenants know there is nothing but when.
create function taken_of(accounts uuid[], wanted tstzrange)
returns table (account_id uuid, during tstzrange, kind text, name uuid)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select o.account_id, o.protected, 'booking', case when o.tenant_id = m.tenant_id then o.booking_id end
    from unnest(accounts) as wanted_of(id)
    join public.membership m on m.tenant_id = public.current_tenant() and m.account_id = wanted_of.id
    join public.occupied o on o.account_id = m.account_id and o.protected && wanted
    union all
    select a.account_id, a.during, case when a.tenant_id = m.tenant_id then a.kind else 'busy' end,
        case when a.tenant_id = m.tenant_id then a.id end
    from unnest(accounts) as wanted_of(id)
    join public.membership m on m.tenant_id = public.current_tenant() and m.account_id = wanted_of.id
    join public.absence a on a.account_id = m.account_id and a.during && wanted;
end;
revoke execute on function taken_of from public;
grant execute on function taken_of to crewline_api, crewline_worker;

-- Lets the work of a party count as that of the account whose code this is. The account's own tenant is not named.
create function account_of_code(wanted bytea) returns uuid
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select m.account_id from public.account_code c join public.membership m on m.party_id = c.party_id
    where c.code_sha256 = wanted and c.expires_at > clock_timestamp();
end;
revoke execute on function account_of_code from public;
grant execute on function account_of_code to crewline_api;

alter table booking enable row level security;
alter table booking_resource enable row level security;
alter table occupied enable row level security;

create policy tenant_only on booking to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on booking_resource to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on occupied to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on booking to crewline_worker using (true) with check (true);
create policy worker_sees_all on booking_resource to crewline_worker using (true) with check (true);
create policy worker_sees_all on occupied to crewline_worker using (true) with check (true);

grant select, insert, update on booking, booking_resource to crewline_api;
grant select, insert, delete on occupied to crewline_api;
grant select, insert, update, delete on booking to crewline_worker;
grant select, insert, delete on booking_resource to crewline_worker;
grant select, insert, delete on occupied to crewline_worker;
