-- Why: whoever is asked to come may answer from their calendar. For that they are invited to the booking that holds their time.

-- Whether those who are asked are invited.
alter table match_request add column invites boolean not null default false;

grant insert on invitation to crewline_worker;
