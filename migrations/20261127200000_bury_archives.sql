-- Why: archives stayed in S3 when their delivery was published again, ended, was taken back or removed, and when an original
-- in them was deleted. Where each lies is written down before it is packed, and when it goes.

create table archive_grave (
    tenant_id uuid not null references tenant (id) on delete cascade,
    -- Not a reference: the object outlives its delivery.
    delivery_id uuid not null,
    object_key text not null,
    due_at timestamptz not null,
    primary key (tenant_id, object_key)
);
create index archive_grave_due on archive_grave (due_at);

alter table archive_grave enable row level security;
create policy tenant_only on archive_grave to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on archive_grave to crewline_worker using (true) with check (true);
grant select, insert, update on archive_grave to crewline_api;
grant select, insert, update, delete on archive_grave to crewline_worker;
grant delete on delivery_archive to crewline_api, crewline_worker;

-- Those that are there already.
insert into archive_grave (tenant_id, delivery_id, object_key, due_at)
select a.tenant_id, a.delivery_id, a.object_key, d.expires_at + interval '3 hours'
from delivery_archive a join delivery d on d.id = a.delivery_id
on conflict (tenant_id, object_key) do nothing;
