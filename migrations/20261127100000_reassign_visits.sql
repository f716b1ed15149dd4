-- Why: somebody else may be looked for while the one who said yes stays booked, for five more rounds each time; and whoever
-- calls a booking off has to find, and hold, the request that it came from.

alter table match_request add column last_round smallint not null default 5;
create index offer_by_booking on offer (booking_id);
