-- Why: arguments and results outlive the program that wrote them, and lie on disks that others may read. A job whose kind
-- or version a worker does not know is parked until one comes that does; and a tenant's payloads can be encrypted.
--
-- docs/payloads.md has the whole; docs/decisions/0012-payloads-sealed-by-the-store.md the reasons.

-- How often in a row a worker gave it back because it knows no such kind or version; null when none did.
alter table job add parks smallint;
create index job_parked on job (kind, kind_version) where parks is not null;

alter table attempt drop constraint attempt_outcome_check;
alter table attempt add constraint attempt_outcome_check check (outcome in
    ('completed', 'retried', 'snoozed', 'parked', 'returned', 'crashed', 'cancelled', 'discarded'));

-- Of the arguments, as they were checked. What is there already is of the first version of its kind.
alter table schedule add kind_version smallint not null default 1 check (kind_version >= 1);

-- The data keys of a tenant, each wrapped by a master key that only processes know. A tenant with a key is encrypted: the
-- newest seals, all of them open. Nobody but the owner changes them.
create table tenant_key (
    tenant_id uuid not null references tenant (id) on delete cascade,
    number integer not null check (number >= 1),
    -- The name of the master key that wraps it.
    master text not null check (length(master) between 1 and 64),
    wrapped bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (tenant_id, number)
);
alter table tenant_key enable row level security;
create policy tenant_only on tenant_key to crewline_api using (tenant_id = current_tenant());
create policy worker_sees_all on tenant_key to crewline_worker using (true);
grant select on tenant_key to crewline_api, crewline_worker;

-- Who is encrypted, with which key, and under which master keys. A process asks it every few seconds, for all tenants, so
-- that those who are not encrypted cost it nothing more; ids and names of keys are all it tells.
create function encrypted_tenants(out tenant_id uuid, out newest integer, out masters text[]) returns setof record
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select k.tenant_id, max(k.number), array_agg(distinct k.master) from public.tenant_key k group by k.tenant_id;
end;
revoke execute on function encrypted_tenants from public;
grant execute on function encrypted_tenants to crewline_api, crewline_worker;
