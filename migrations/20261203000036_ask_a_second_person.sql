-- Why: a filter that fits more than was meant throws away work that nobody gets back. Where a tenant says so, many jobs are thrown
-- away only once a second person has said yes.

create table four_eyes (
    tenant_id uuid primary key references tenant (id) on delete cascade,
    -- Bulk operations that throw away more jobs than this wait for somebody else.
    more_than bigint not null check (more_than >= 0),
    updated_by text not null check (length(updated_by) between 1 and 200),
    updated_at timestamptz not null default clock_timestamp()
);
alter table four_eyes enable row level security;
create policy tenant_only on four_eyes to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
grant select, insert, update, delete on four_eyes to crewline_api;

-- An operation that waits for somebody else has not begun: no worker looks at it.
alter table bulk_operation
    drop constraint bulk_operation_state_check,
    add constraint bulk_operation_state_check
        check (state in ('waiting', 'running', 'completed', 'cancelled', 'failed')) not valid,
    drop constraint bulk_operation_check,
    add constraint bulk_operation_check check ((state in ('waiting', 'running')) = (finished_at is null)) not valid,
    add column confirmed_by text check (length(confirmed_by) between 1 and 200),
    add column confirmed_at timestamptz;
alter table bulk_operation validate constraint bulk_operation_state_check;
alter table bulk_operation validate constraint bulk_operation_check;
grant update (confirmed_by, confirmed_at) on bulk_operation to crewline_api;
