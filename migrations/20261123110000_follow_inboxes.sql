-- Why: an inbox is followed as it fills; each look is for the lines of one party since a moment.

create index message_by_inbox on message (tenant_id, party_id, sent_at) where channel = 'in_app';
