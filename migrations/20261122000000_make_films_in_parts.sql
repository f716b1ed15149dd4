-- Why: a long film is made in parts by any number of workers, and nothing of them may be left behind, however it ends.
--
-- A row says which workflow makes the parts of which job; their names in S3 begin with it. It is written in the
-- transaction that makes the workflow. The parts are removed when nobody needs them any more: the job has ended, or has
-- abandoned them.

create table film_parts (
    workflow_id uuid primary key,
    tenant_id uuid not null references tenant (id) on delete cascade,
    job_id uuid not null,
    begun_at timestamptz not null default clock_timestamp(),
    abandoned_at timestamptz
);
create unique index film_parts_of_job on film_parts (tenant_id, job_id) where abandoned_at is null;
create index film_parts_by_age on film_parts (begun_at);

alter table film_parts enable row level security;
create policy tenant_only on film_parts to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on film_parts to crewline_worker using (true) with check (true);

grant select on film_parts to crewline_api;
grant update (abandoned_at) on film_parts to crewline_api;
grant select, insert, update, delete on film_parts to crewline_worker;
-- Until now only requests began workflows.
grant insert on workflow, workflow_step to crewline_worker;
