-- Why: a job that closes a digest may end without closing it. What has gathered must not wait for ever: whoever looks for
-- such digests reads those that are due, oldest first, and has each closed by a fresh job once.

alter table digest add column retried_at timestamptz;
create index digest_due on digest (closes_at, id) where closed_at is null;
