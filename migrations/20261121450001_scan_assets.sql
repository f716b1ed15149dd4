-- Why: nothing of a file is served before a virus scanner has called it clean, and what it finds is held.

alter table asset
    add column state text not null default 'quarantined'
        check (state in ('quarantined', 'clean', 'infected', 'unscannable')),
    -- What was found, or why the file could not be scanned.
    add column finding text,
    add column scanner text,
    add column scanned_at timestamptz,
    -- A finding that an operator called harmless. It stands until something else is found.
    add column released_finding text,
    add column released_by text,
    add column released_because text,
    add column released_at timestamptz,
    add constraint clean_was_scanned check (state <> 'clean' or scanned_at is not null);

-- Those that somebody has to look at are few, and are looked for.
create index asset_not_clean on asset (tenant_id, state, id) where state <> 'clean';
