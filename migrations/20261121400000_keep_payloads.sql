-- Why: arguments and results outlive the program that wrote them. A job whose kind or version a worker does not know is
-- parked until one comes that does.
--
-- docs/payloads.md has the whole; docs/decisions/0011-payloads-sealed-by-the-store.md the reasons.

-- How often in a row a worker gave it back because it knows no such kind or version; null when none did.
alter table job add parks smallint;
create index job_parked on job (kind, kind_version) where parks is not null;

alter table attempt drop constraint attempt_outcome_check;
alter table attempt add constraint attempt_outcome_check check (outcome in
    ('completed', 'retried', 'snoozed', 'parked', 'returned', 'crashed', 'cancelled', 'discarded'));

-- Of the arguments, as they were checked. What is there already is of the first version of its kind.
alter table schedule add kind_version smallint not null default 1 check (kind_version >= 1);
