-- Why: people may sign in at an issuer outside, by OpenID Connect. Who somebody is there is a subject, which stays when their
-- address changes; the first time they are known by a verified address, which an admin has to have added before.

-- Who somebody is at an issuer: one subject of each.
create table user_identity (
    issuer text not null check (octet_length(issuer) between 1 and 2000),
    subject text not null check (octet_length(subject) between 1 and 255),
    user_id uuid not null references user_account (id) on delete cascade,
    linked_at timestamptz not null default clock_timestamp(),
    primary key (issuer, subject),
    unique (user_id, issuer)
);

-- Browsers that were sent to the issuer and have yet to come back; each comes back once.
create table sign_in_trip (
    -- A hash of what the browser keeps.
    key bytea primary key check (length(key) = 32),
    -- Where to go afterwards.
    next text not null check (octet_length(next) <= 8000),
    -- Who came back and has yet to give a code; null: still away.
    subject text,
    expires_at timestamptz not null
);
create index sign_in_trip_by_end on sign_in_trip (expires_at);

create function begin_trip(of_key bytea, wanted_next text, wanted_subject text, lasts interval) returns void
language sql volatile security definer set search_path = pg_catalog, public
begin atomic
    delete from public.sign_in_trip where key in (
        select t.key from public.sign_in_trip t where t.expires_at < clock_timestamp() limit 100 for update skip locked);
    insert into public.sign_in_trip (key, next, subject, expires_at)
    values (of_key, wanted_next, wanted_subject, clock_timestamp() + lasts);
end;

-- Where to go, and who came back; no row when nobody set out with this key, or too long ago, or came back before.
create function end_trip(of_key bytea) returns table (next text, subject text)
language sql volatile security definer set search_path = pg_catalog, public
begin atomic
    delete from public.sign_in_trip t where t.key = of_key and t.expires_at > clock_timestamp()
    returning t.next, t.subject;
end;

-- The address of whom an issuer calls so.
create function find_identity(wanted_issuer text, wanted_subject text) returns text
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.email from public.user_identity i join public.user_account u on u.id = i.user_id
    where i.issuer = wanted_issuer and i.subject = wanted_subject and u.disabled_at is null;
end;

-- From now on the issuer's word for somebody is this; false when nobody has the address, or they are somebody else there
-- already. The address is compared as it is: what is only alike in another script is another address.
create function link_identity(wanted_issuer text, wanted_subject text, wanted_email text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    insert into public.user_identity (issuer, subject, user_id)
    select wanted_issuer, wanted_subject, u.id from public.user_account u
    where u.email = wanted_email and u.disabled_at is null
    on conflict do nothing;
    return found;
end
$$;

-- As `begin_session`, of somebody for whom an issuer speaks; `step` is null when no code of ours is asked for.
create function begin_session_of_identity(
    wanted_issuer text, wanted_subject text, token bytea, step bigint, lasts interval, tried bytea[]
) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    of_user uuid;
begin
    update public.user_account u set totp_step = greatest(u.totp_step, coalesce(step, 0))
    from public.user_identity i
    where i.issuer = wanted_issuer and i.subject = wanted_subject and u.id = i.user_id and u.disabled_at is null
        and (step is null or case when u.totp_secret is null then step = 0 else u.totp_step < step end)
    returning u.id into of_user;
    if not found then
        return false;
    end if;
    delete from public.user_session where token_sha256 in (
        select s.token_sha256 from public.user_session s where s.user_id = of_user
        order by s.expires_at > clock_timestamp() desc, s.created_at desc offset 19);
    insert into public.user_session (token_sha256, user_id, expires_at) values (token, of_user, clock_timestamp() + lasts);
    delete from public.sign_in_try where key = any (tried);
    return true;
end
$$;

revoke execute on function begin_trip, end_trip, find_identity, link_identity, begin_session_of_identity from public;
grant execute on function begin_trip, end_trip, find_identity, link_identity, begin_session_of_identity to crewline_api;

alter table user_identity enable row level security;
alter table sign_in_trip enable row level security;
