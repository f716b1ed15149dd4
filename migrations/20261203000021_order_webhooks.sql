-- Why: senders deliver late and out of order, and what is older than what was already done must not undo it. A source may say
-- where in its messages the number or the time stands that grows with each event about one thing.

alter table webhook_source add column sequence_pointer text check (length(sequence_pointer) between 1 and 200);
alter table webhook_event add column sequence numeric;

-- superseded: it came after a newer one about the same thing was processed, and became nothing.
alter table webhook_event drop constraint webhook_event_state_check;
alter table webhook_event add constraint webhook_event_state_check
    check (state in ('received', 'processed', 'parked', 'superseded')) not valid;
alter table webhook_event validate constraint webhook_event_state_check;

-- The newest about a thing that was processed is looked for. No row has a sequence yet, so this reads the table once and writes nothing.
create index webhook_event_by_sequence on webhook_event (source_id, object_key, sequence desc)
    where sequence is not null and state = 'processed';
