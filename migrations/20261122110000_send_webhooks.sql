-- Why: tenants want to be told what happened instead of asking. What happened is written in the transaction in which it
-- happened, so that nothing is told that did not happen and nothing that happened goes untold.

create table webhook_endpoint (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    url text not null check (octet_length(url) between 1 and 2000),
    -- What it wants to be told of: patterns of types.
    event_types text[] not null check (cardinality(event_types) between 1 and 50),
    -- Two keys sign while they change. Sealed under a data key where the tenant has one.
    secret bytea not null,
    secret_under integer,
    previous bytea,
    previous_under integer,
    previous_until timestamptz,
    disabled_at timestamptz,
    disabled_reason text check (length(disabled_reason) between 1 and 500),
    -- Since when nothing has got through to it.
    failing_since timestamptz,
    created_by text not null,
    created_at timestamptz not null default clock_timestamp(),
    check ((previous is null) = (previous_until is null)),
    check ((disabled_at is null) = (disabled_reason is null))
);
create index webhook_endpoint_by_tenant on webhook_endpoint (tenant_id, id);

-- What happened. Kept for tenants that have endpoints only.
create table webhook_message (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    type text not null check (octet_length(type) between 1 and 200),
    subject text not null,
    data jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    -- When its deliveries were made.
    fanned_out_at timestamptz
);
create index webhook_message_waiting on webhook_message (id) where fanned_out_at is null;
create index webhook_message_by_age on webhook_message (created_at);

create table webhook_delivery (
    id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    endpoint_id uuid not null references webhook_endpoint (id) on delete cascade,
    message_id uuid not null references webhook_message (id) on delete cascade,
    state text not null default 'pending' check (state in ('pending', 'delivered', 'failed')),
    attempts integer not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    delivered_at timestamptz,
    unique (endpoint_id, message_id)
);
create index webhook_delivery_by_endpoint on webhook_delivery (endpoint_id, id desc);
create index webhook_delivery_by_message on webhook_delivery (message_id);

create table webhook_attempt (
    tenant_id uuid not null references tenant (id) on delete cascade,
    delivery_id uuid not null references webhook_delivery (id) on delete cascade,
    number integer not null,
    attempted_at timestamptz not null default clock_timestamp(),
    status smallint,
    error text check (length(error) between 1 and 500),
    took_ms integer not null,
    -- The beginning of what was answered.
    answer text check (length(answer) <= 4096),
    primary key (delivery_id, number)
);

alter table webhook_endpoint enable row level security;
alter table webhook_message enable row level security;
alter table webhook_delivery enable row level security;
alter table webhook_attempt enable row level security;

create policy tenant_only on webhook_endpoint to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_message to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_delivery to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on webhook_attempt to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on webhook_endpoint to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_message to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_delivery to crewline_worker using (true) with check (true);
create policy worker_sees_all on webhook_attempt to crewline_worker using (true) with check (true);

grant select, insert, update, delete on webhook_endpoint to crewline_api;
grant select, insert on webhook_message to crewline_api;
grant select, insert, update on webhook_delivery to crewline_api;
grant select on webhook_attempt to crewline_api;
grant select, update on webhook_endpoint to crewline_worker;
grant select, insert, update, delete on webhook_message to crewline_worker;
grant select, insert, update on webhook_delivery to crewline_worker;
grant select, insert on webhook_attempt to crewline_worker;
