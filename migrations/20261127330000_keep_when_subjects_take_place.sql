-- Why: whether a message may ring in quiet hours depends on how near that is what it is about. That is asked again when it is
-- sent, which may be long after it was planned.

alter table message add column subject_at timestamptz;
