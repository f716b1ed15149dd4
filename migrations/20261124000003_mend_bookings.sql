-- Why: whose time is taken is read, and held, when it is taken; a code lets one party join an account and not several; a
-- challenge ends with the pencil that made it, so what held before has to be known; and lists of one party's bookings, or
-- of the requests in one state, no longer walk everything a tenant has.

-- To hold a row takes the right to change some column of it.
grant update (updated_at) on membership to crewline_worker;

-- The code is used up by it. What is rolled back was not used.
create or replace function account_of_code(wanted bytea) returns uuid
language sql volatile security definer set search_path = pg_catalog, public
begin atomic
    with used as (
        delete from public.account_code c where c.code_sha256 = wanted and c.expires_at > clock_timestamp()
        returning c.party_id
    )
    select m.account_id from used join public.membership m on m.party_id = used.party_id;
end;

-- Until when a pencil was held before it was challenged.
alter table booking add column unchallenged_until timestamptz;
create index booking_by_challenger on booking (challenged_by) where challenged_by is not null;

create index booking_resource_by_booking on booking_resource (tenant_id, party_id, booking_id);
create index match_request_by_state on match_request (tenant_id, state, id);
