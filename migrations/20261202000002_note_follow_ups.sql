-- Why: whoever looks at a job wants to see what led to it and what followed from it. Jobs that are enqueued with the end of
-- another are noted with that one. Jobs that nothing follows from, which is most, cost nothing for it.

create table follow_up (
    tenant_id uuid not null,
    parent_id uuid not null,
    child_id uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, parent_id, child_id)
);
create index follow_up_by_child on follow_up (tenant_id, child_id);
create index follow_up_by_age on follow_up (created_at);

alter table follow_up enable row level security;
create policy tenant_only on follow_up to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on follow_up to crewline_worker using (true) with check (true);
grant select on follow_up to crewline_api;
grant select, insert, delete on follow_up to crewline_worker;
