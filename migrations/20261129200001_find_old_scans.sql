-- Why: originals that the virus scanner called clean are shown to it again when it knows more than it did, those first that
-- it saw longest ago.

create index asset_by_scan on asset (scanned_at) where state = 'clean';
