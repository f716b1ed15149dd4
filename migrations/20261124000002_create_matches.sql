-- Why: somebody has to be found for a visit, be asked, and be asked in time. Each question and each ranking behind it is a
-- row, so that what was decided can be explained, and tried again under other rules.

create table match_request (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    reference text not null check (length(reference) between 1 and 120),
    visit jsonb not null,
    -- The rules as they were when it was asked.
    terms jsonb not null,
    -- Who orders, and their company: whose preferences count.
    client_id uuid references party (id) on delete set null,
    company_id uuid references party (id) on delete set null,
    -- Where those who are asked can look at the offer; without, they are not told from here.
    link text check (length(link) between 1 and 500),
    -- Waits for others, to be given out together with them.
    in_batch boolean not null,
    state text not null check (state in ('ranking', 'offered', 'confirmed', 'needs_dispatch', 'cancelled')),
    round smallint not null default 1 check (round > 0),
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp()
);
create index match_request_by_tenant on match_request (tenant_id, id);
create index match_request_in_batch on match_request (tenant_id, id) where in_batch and state = 'ranking';

create table match_receipt (
    tenant_id uuid not null references tenant (id) on delete cascade,
    request_id uuid not null references match_request (id) on delete cascade,
    round smallint not null,
    receipt jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (request_id, round)
);

create table offer (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    request_id uuid not null references match_request (id) on delete cascade,
    booking_id uuid not null references booking (id) on delete cascade,
    -- No reference: that somebody was asked stays known when they are forgotten.
    party_id uuid not null,
    -- The round it is of. An answer to another round is none.
    generation smallint not null,
    state text not null check (state in ('sent', 'accepted', 'declined', 'expired', 'withdrawn')),
    sent_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    answered_at timestamptz,
    check ((state = 'sent') = (answered_at is null)),
    unique (request_id, generation)
);
create index offer_by_party on offer (tenant_id, party_id, sent_at);

alter table match_request enable row level security;
alter table match_receipt enable row level security;
alter table offer enable row level security;

create policy tenant_only on match_request to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on match_receipt to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on offer to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on match_request to crewline_worker using (true) with check (true);
create policy worker_sees_all on match_receipt to crewline_worker using (true) with check (true);
create policy worker_sees_all on offer to crewline_worker using (true) with check (true);

grant select, insert, update on match_request to crewline_api;
grant select on match_receipt to crewline_api;
grant select, update on offer to crewline_api;
grant select, update on match_request to crewline_worker;
grant select, insert on match_receipt to crewline_worker;
grant select, insert, update on offer to crewline_worker;
