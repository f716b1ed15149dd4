-- Why: most people keep their calendar with Google or Microsoft. Those let us in by tokens that run out, and that one process at a
-- time may renew.

alter table calendar_link drop constraint calendar_link_provider_check;
alter table calendar_link add constraint calendar_link_provider_check
    check (provider in ('caldav', 'ics', 'google', 'microsoft', 'cronofy')) not valid;
alter table calendar_link validate constraint calendar_link_provider_check;
-- Until then somebody renews the token.
alter table calendar_link add column renewing_until timestamptz;
