-- Why: some chores, such as reading a mailbox, are for one process at a time, and any may die with them in hand. Whoever takes
-- a turn has it until its time is over.

create table turn (
    chore text primary key check (chore ~ '^[a-z_]{1,50}$'),
    taken_until timestamptz not null
);
grant select, insert, update on turn to crewline_worker;
