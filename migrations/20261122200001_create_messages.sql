-- Why: nobody is told twice. What was decided, what is about to be done outside, and what came of it are rows.

-- What messages are about. A message about a version that has passed is not sent any more.
create table subject (
    tenant_id uuid not null references tenant (id) on delete cascade,
    reference text not null check (length(reference) between 1 and 120),
    version integer not null check (version >= 0),
    ended_at timestamptz,
    updated_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, reference)
);

create table digest (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    contact_point_id uuid not null references contact_point (id) on delete cascade,
    channel text not null,
    category text not null,
    thread text not null,
    closes_at timestamptz not null,
    closed_at timestamptz,
    -- What it came to: none when nothing was left to tell.
    message_id uuid
);
-- One gathers at a time for the same.
create unique index digest_open on digest (tenant_id, contact_point_id, category, thread) where closed_at is null;
create index digest_by_party on digest (party_id);

create table message (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    party_id uuid not null references party (id) on delete cascade,
    -- None when there was no address to send to.
    contact_point_id uuid references contact_point (id) on delete set null,
    -- The job that decided about it: messages of one job are about the same.
    request_id uuid not null,
    channel text not null check (channel in ('email', 'sms', 'push', 'chat', 'in_app')),
    category text not null check (category in ('critical', 'operational', 'social', 'bulk')),
    template text not null,
    -- 0 for the product's own.
    template_version integer not null,
    locale text not null,
    subject_reference text,
    subject_version integer,
    content_sha256 text not null,
    -- Equal for what is the same to the same.
    dedupe_key text not null,
    state text not null check (state in ('planned', 'gathered', 'sending', 'sent', 'read', 'unknown', 'failed', 'dropped', 'skipped')),
    -- What the rules said, in their order.
    decisions jsonb not null,
    -- What the channel is handed; none when nothing is sent.
    content jsonb,
    unless_read boolean not null default false,
    digest_id uuid references digest (id) on delete set null,
    scheduled_at timestamptz not null,
    provider_id text,
    -- Why it was dropped, or failed, or nobody knows.
    detail text,
    created_at timestamptz not null default clock_timestamp(),
    sent_at timestamptz,
    read_at timestamptz
);
create index message_by_tenant on message (tenant_id, id);
create index message_by_party on message (tenant_id, party_id, created_at);
create index message_by_dedupe on message (tenant_id, dedupe_key, created_at);
create index message_by_request on message (tenant_id, request_id);
create index message_by_digest on message (digest_id) where digest_id is not null;
create index message_unsettled on message (tenant_id, id) where state in ('unknown', 'sending');

-- What is done outside. The row is on disk before anybody outside hears of it: one that still says "begun" when the work
-- is taken up again is one of which nobody knows whether it was done.
create table effect (
    tenant_id uuid not null references tenant (id) on delete cascade,
    key text not null,
    -- From 1; another try follows only on one that is known to have failed.
    try smallint not null check (try > 0),
    message_id uuid not null references message (id) on delete cascade,
    job_id uuid not null,
    state text not null check (state in ('begun', 'done', 'failed', 'unknown')),
    provider text not null,
    provider_id text,
    detail text,
    begun_at timestamptz not null default clock_timestamp(),
    ended_at timestamptz,
    -- The key of whoever said what had become of it.
    resolved_by text,
    primary key (tenant_id, key, try),
    check ((state = 'begun') = (ended_at is null))
);
create index effect_by_message on effect (message_id);

alter table subject enable row level security;
alter table digest enable row level security;
alter table message enable row level security;
alter table effect enable row level security;

create policy tenant_only on subject to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on digest to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on message to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on effect to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on subject to crewline_worker using (true) with check (true);
create policy worker_sees_all on digest to crewline_worker using (true) with check (true);
create policy worker_sees_all on message to crewline_worker using (true) with check (true);
create policy worker_sees_all on effect to crewline_worker using (true) with check (true);

grant select, insert, update, delete on subject to crewline_api;
grant select on digest to crewline_api;
grant select, update on message to crewline_api;
grant select, update on effect to crewline_api;
grant select, insert, update on subject, digest, message, effect to crewline_worker;
