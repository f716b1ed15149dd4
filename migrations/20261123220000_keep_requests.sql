-- Why: whoever looks for why an endpoint refused a message wants to see what it was sent, with the signature, which tells
-- nothing of the secret.

alter table webhook_attempt add column request jsonb;
