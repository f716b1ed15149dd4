-- Why: others tell us what happened to them. What they said is kept byte for byte before anybody acts on it, once for each
-- event, and what was not believed is kept with the reason.

create table webhook_source (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    name text not null check (name ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'),
    -- How the sender signs, as webhooks::Scheme reads it.
    scheme jsonb not null,
    -- How old a message may be whose scheme signs the time.
    window_s integer not null check (window_s between 1 and 86400),
    -- Where in the body the thing stands that a message is about. Messages about one thing are worked one at a time.
    order_pointer text check (length(order_pointer) between 1 and 200),
    -- Two secrets hold while they change. Sealed under a data key where the tenant has one.
    secret bytea,
    secret_under integer,
    previous bytea,
    previous_under integer,
    previous_until timestamptz,
    disabled_at timestamptz,
    -- How many were not believed, and when the last of them was written down.
    refusals bigint not null default 0,
    refused_at timestamptz not null default '-infinity',
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    unique (tenant_id, name),
    check ((previous is null) = (previous_until is null))
);

create table webhook_rule (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    source_id uuid not null references webhook_source (id) on delete cascade,
    rule jsonb not null,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index webhook_rule_by_source on webhook_rule (source_id, id);

create table webhook_event (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    source_id uuid not null references webhook_source (id) on delete cascade,
    -- As the sender names it; the hash of the body where it does not.
    event_id text not null check (octet_length(event_id) between 1 and 200),
    event_type text not null check (octet_length(event_type) between 1 and 200),
    object_key text check (octet_length(object_key) between 1 and 180),
    -- received: nobody has looked at it. processed: it became jobs. parked: it did not, for this reason.
    state text not null default 'received' check (state in ('received', 'processed', 'parked')),
    reason text check (length(reason) between 1 and 500),
    headers jsonb not null,
    -- With what sealing adds.
    body bytea not null check (octet_length(body) <= 262208),
    body_under integer,
    replays smallint not null default 0 check (replays >= 0),
    received_at timestamptz not null default clock_timestamp(),
    processed_at timestamptz,
    unique (source_id, event_id)
);
create index webhook_event_by_source on webhook_event (source_id, id desc);
create index webhook_event_by_age on webhook_event (received_at);

-- Which jobs an event became, and which time it was looked at.
create table webhook_event_job (
    tenant_id uuid not null references tenant (id) on delete cascade,
    event_id uuid not null references webhook_event (id) on delete cascade,
    job_id uuid not null,
    rule_id uuid not null,
    replay smallint not null,
    primary key (event_id, job_id)
);

-- The last few messages that were not believed, in a ring.
create table webhook_refusal (
    tenant_id uuid not null references tenant (id) on delete cascade,
    source_id uuid not null references webhook_source (id) on delete cascade,
    slot smallint not null,
    refused_at timestamptz not null default clock_timestamp(),
    word text not null,
    reason text not null check (length(reason) between 1 and 500),
    headers jsonb not null,
    body_bytes integer not null,
    primary key (source_id, slot)
);

-- The one look-up that has to happen before the tenant is known: the URL names a source and nobody else.
create function find_webhook_source(wanted uuid) returns uuid
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select s.tenant_id from public.webhook_source s where s.id = wanted;
end;
revoke execute on function find_webhook_source from public;
grant execute on function find_webhook_source to crewline_api;

alter table webhook_source enable row level security;
alter table webhook_rule enable row level security;
alter table webhook_event enable row level security;
alter table webhook_event_job enable row level security;
alter table webhook_refusal enable row level security;

create policy tenant_only on webhook_source to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_rule to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_event to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_event_job to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_refusal to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on webhook_source to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_rule to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_event to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_event_job to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_refusal to crewline_worker using (true) with check (true);

grant select, insert, update, delete on webhook_source to crewline_api;
grant select, insert, delete on webhook_rule to crewline_api;
grant select, insert, update on webhook_event to crewline_api;
grant select on webhook_event_job to crewline_api;
grant select, insert, update on webhook_refusal to crewline_api;
grant select on webhook_source to crewline_worker;
grant select on webhook_rule to crewline_worker;
grant select, update, delete on webhook_event to crewline_worker;
grant select, insert on webhook_event_job to crewline_worker;
grant select on webhook_refusal to crewline_worker;
