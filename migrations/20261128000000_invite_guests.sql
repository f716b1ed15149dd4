-- Why: a booking concerns people who do no work for it and keep their own calendars. They are invited by mail, hear when it is
-- called off, and what they answer stands with the booking.

create table invitation (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    booking_id uuid not null references booking (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    contact_point_id uuid references contact_point (id) on delete set null,
    -- As they were invited: only whoever is at it may answer.
    address text not null check (length(address) between 1 and 500),
    is_withdrawn boolean not null default false,
    -- Counts what the guest has to hear of; what was asked for; what is over. It is the SEQUENCE of their entry.
    wish integer not null default 1,
    asked_wish integer not null default 0,
    asked_at timestamptz,
    done_wish integer not null default 0,
    -- What they heard last.
    told_wish integer not null default 0,
    told text check (told in ('request', 'cancel')),
    -- What they answered to that, by their clock.
    answer text check (answer in ('accepted', 'tentative', 'declined')),
    answered_at timestamptz,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    check ((told is null) = (told_wish = 0)),
    check ((answer is null) = (answered_at is null)),
    unique (booking_id, party_id)
);
create index invitation_by_tenant on invitation (tenant_id, id);
create index invitation_by_booking on invitation (tenant_id, booking_id, id);
create index invitation_by_party on invitation (party_id);
create index invitation_by_contact on invitation (contact_point_id);
create index invitation_waiting on invitation (id) where done_wish < wish;

alter table invitation enable row level security;

create policy tenant_only on invitation to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on invitation to crewline_worker using (true) with check (true);

grant select, insert, update on invitation to crewline_api;
grant select, update on invitation to crewline_worker;
