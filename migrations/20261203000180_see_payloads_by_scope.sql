-- Why: whoever had a key that sees jobs saw what jobs are given, leave behind and say, though of people that is asked apart. For keys it is
-- a scope of its own from now on. Keys that see jobs get it here: nobody loses what they had.

alter table api_key drop constraint api_key_scopes_check;
alter table api_key add constraint api_key_scopes_check
    check (scopes <@ array['jobs:write', 'jobs:read', 'payloads:read', 'queue:operate', 'admin', 'installation']);

update api_key set scopes = scopes || '{payloads:read}'
where 'jobs:read' = any (scopes) and not 'payloads:read' = any (scopes);
