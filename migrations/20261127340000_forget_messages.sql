-- Why: messages, what was done for them, digests and what they were about were kept for ever. They go with the rest of
-- history, oldest first, by workers.

create index message_by_age on message (created_at);
create index digest_by_age on digest (closed_at) where closed_at is not null;
create index subject_by_age on subject (updated_at);
-- What was done for a message goes with it.
grant delete on message, digest, subject to crewline_worker;
