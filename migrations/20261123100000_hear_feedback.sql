-- Why: providers tell what became of messages after they took them. What they say moves the message on, and keeps others
-- away from an address that is none, or whose owner wants no more.

alter table webhook_source
    -- The channel whose provider sends here; none for a source of anything else.
    add column feedback text check (feedback in ('email', 'sms')),
    -- The topic of Amazon SNS that is believed: its signature says that Amazon sent it, not for whom.
    add column feedback_topic text check (length(feedback_topic) between 1 and 300),
    add check (feedback_topic is null or feedback is not null);

-- Unchecked, then checked: rows of before are all in states that both lists have.
alter table message drop constraint message_state_check;
alter table message
    -- delivered, bounced, complained: what was told after it was sent. A state is never followed by one that stands before
    -- it in this list.
    add constraint message_state_check check (state in ('planned', 'gathered', 'sending', 'sent', 'unknown', 'failed', 'dropped',
        'skipped', 'delivered', 'read', 'bounced', 'complained')) not valid,
    add column feedback_at timestamptz;
alter table message validate constraint message_state_check;

-- Mail servers say "Ok: queued as 4XyZ": the last word is their name for the mail.
create function provider_word(provider_id text) returns text
language sql immutable strict parallel safe set search_path = pg_catalog
begin atomic
    select substring(provider_id from '[^[:space:]<>]+(?=>?[[:space:]]*$)');
end;
create index effect_by_provider_word on effect (tenant_id, provider_word(provider_id)) where provider_id is not null;
-- Who answered is known by the number alone.
create index contact_point_by_address on contact_point (tenant_id, channel, address);
