-- Why: a job may end without its handler having a say, by crashes or by somebody who cancels it. The message it was to send
-- must not wait for ever: whoever looks for such messages reads those that are due, oldest first.

create index message_due on message (scheduled_at, id) where state in ('planned', 'sending');
