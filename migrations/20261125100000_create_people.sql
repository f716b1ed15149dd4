-- Why: people who watch and steer: who they are, what each may do where, and what each did, in a log that nobody can
-- rewrite unnoticed.
--
-- A person belongs to no tenant, so requests reach people and their sessions by the functions below and not by the
-- tables. docs/decisions/0022-people-and-their-log.md has the reasons.

create table user_account (
    id uuid primary key,
    email text not null unique check (email = lower(email) and length(email) between 3 and 200),
    name text not null check (length(name) between 1 and 200),
    -- argon2id, as a PHC string.
    password_hash text not null,
    -- What a code generator and we both know; null: a password is enough.
    totp_secret bytea check (length(totp_secret) between 16 and 64),
    -- The latest time step of which a code was taken: no code is taken twice.
    totp_step bigint not null default 0,
    created_at timestamptz not null default now(),
    disabled_at timestamptz
);

create table user_role (
    user_id uuid not null references user_account (id) on delete cascade,
    -- Null: every tenant.
    tenant_id uuid references tenant (id) on delete cascade,
    role text not null check (role in ('viewer', 'tenant_operator', 'operator', 'admin')),
    -- May see arguments, results and log lines.
    sees_payloads boolean not null default false,
    granted_at timestamptz not null default now(),
    check (role <> 'tenant_operator' or tenant_id is not null),
    check (role not in ('operator', 'admin') or tenant_id is null)
);
create unique index user_role_once on user_role (user_id, coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'));

create table user_session (
    token_sha256 bytea primary key check (length(token_sha256) = 32),
    user_id uuid not null references user_account (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null
);
create index user_session_by_user on user_session (user_id, created_at);

-- How often somebody tried to sign in lately, by where from and as whom. Never by whom alone: then anybody could lock
-- anybody out.
create table sign_in_try (
    key bytea primary key check (length(key) = 32),
    tries integer not null,
    began_at timestamptz not null
);
create index sign_in_try_by_age on sign_in_try (began_at);

-- What was done. Each tenant has a chain, and the installation has one (of no tenant): the hash of an entry covers the
-- hash of the one before, so that whoever changes, removes or inserts one has to make every later hash anew.
create table audit_entry (
    chain uuid not null,
    tenant_id uuid,
    seq bigint not null,
    -- JSON, as text: what was hashed, to the byte.
    entry text not null,
    hash bytea not null check (length(hash) = 32),
    primary key (chain, seq),
    check (chain = coalesce(tenant_id, '00000000-0000-0000-0000-000000000000'))
);

-- Where each chain ends.
create table audit_head (
    chain uuid primary key,
    seq bigint not null,
    hash bytea not null
);

-- Appends to the chain of the tenant that this transaction acts for, or of the installation, and answers the number.
create function append_audit(said jsonb) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    of_chain uuid := coalesce(public.current_tenant(), '00000000-0000-0000-0000-000000000000');
    head public.audit_head;
    line text;
begin
    insert into public.audit_head (chain, seq, hash) values (of_chain, 0, '') on conflict do nothing;
    select * into head from public.audit_head where chain = of_chain for update;
    head.seq := head.seq + 1;
    line := (said || jsonb_build_object(
        'chain', of_chain, 'seq', head.seq,
        'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')))::text;
    head.hash := sha256(head.hash || convert_to(line, 'UTF8'));
    insert into public.audit_entry (chain, tenant_id, seq, entry, hash)
    values (of_chain, public.current_tenant(), head.seq, line, head.hash);
    update public.audit_head set seq = head.seq, hash = head.hash where chain = of_chain;
    return head.seq;
end
$$;

-- Whom this address belongs to, before they have proved it; and whether they signed in lately from the browser that
-- keeps this token, of a session that may be over.
create function find_user(wanted_email text, token bytea)
returns table (id uuid, password_hash text, totp_secret bytea, knows_browser boolean)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.id, u.password_hash, u.totp_secret,
           exists (select from public.user_session s where s.token_sha256 = token and s.user_id = u.id
                       and s.created_at > clock_timestamp() - interval '180 days')
    from public.user_account u
    where u.email = lower(wanted_email) and u.disabled_at is null;
end;

-- Counts a try to sign in under each key, and says whether none of them had too many of late.
create function count_sign_in(keys bytea[], most integer[], span interval) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
declare
    allowed boolean;
begin
    delete from public.sign_in_try where key in (
        select t.key from public.sign_in_try t where t.began_at < clock_timestamp() - span limit 100 for update skip locked);
    with counted as (
        insert into public.sign_in_try as t (key, tries, began_at)
        select k.key, 1, clock_timestamp() from unnest(keys) k (key) order by k.key
        on conflict (key) do update set
            tries = case when t.began_at < clock_timestamp() - span then 1 else t.tries + 1 end,
            began_at = case when t.began_at < clock_timestamp() - span then clock_timestamp() else t.began_at end
        returning t.key, t.tries
    )
    select bool_and(c.tries <= l.most) into allowed
    from counted c join unnest(keys, most) l (key, most) on l.key = c.key;
    return allowed;
end
$$;

-- Begins a session of somebody who proved who they are; false when the code of this time step was taken before, or when
-- the password, or what else they have to prove, was changed since they began to. The
-- newest twenty sessions stay, those that are over as well: a browser that was signed in before is known by them.
create function begin_session(of_user uuid, proved_hash text, token bytea, step bigint, lasts interval, tried bytea[]) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, public as $$
begin
    update public.user_account set totp_step = greatest(totp_step, step)
    where id = of_user and disabled_at is null and password_hash = proved_hash
        and case when totp_secret is null then step = 0 else totp_step < step end;
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

create function end_session(token bytea) returns void
language sql volatile security definer set search_path = pg_catalog, public
begin atomic
    update public.user_session set expires_at = clock_timestamp() where token_sha256 = token;
end;

-- Whose session this is, and what they may do with the tenant called `wanted_slug`, or without one in the whole
-- installation. No row: no such session. A tenant that is not there looks like one without roles.
create function find_session(token bytea, wanted_slug text)
returns table (
    user_id uuid, email text, name text, tenant_id uuid, tenant_slug text, tenant_name text, roles text[],
    sees_payloads boolean
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select u.id, u.email, u.name, t.id, t.slug, t.name, coalesce(held.roles, '{}'), coalesce(held.sees_payloads, false)
    from public.user_session s
    join public.user_account u on u.id = s.user_id
    left join public.tenant t on t.slug = wanted_slug
    left join lateral (
        select array_agg(r.role) as roles, bool_or(r.sees_payloads) as sees_payloads
        from public.user_role r where r.user_id = u.id and (r.tenant_id is null or r.tenant_id = t.id)) held on true
    where s.token_sha256 = token and s.expires_at > clock_timestamp() and u.disabled_at is null;
end;

-- The tenants of which somebody may see something.
create function tenants_of_user(of_user uuid) returns table (id uuid, slug text, name text)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.id, t.slug, t.name from public.tenant t
    where exists (select from public.user_role r where r.user_id = of_user and (r.tenant_id is null or r.tenant_id = t.id))
    order by t.slug limit 1000;
end;

-- The installation's own chain, for those who operate all of it.
create function audit_of_installation(of_user uuid, before bigint, most integer)
returns table (seq bigint, entry text, hash bytea)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select a.seq, a.entry, a.hash from public.audit_entry a
    where a.chain = '00000000-0000-0000-0000-000000000000' and a.seq < before
      and exists (select from public.user_role r where r.user_id = of_user and r.role in ('operator', 'admin'))
    order by a.seq desc limit least(most, 1000);
end;

-- Worker processes, for those who watch the whole installation.
create function workers_of_installation(of_user uuid)
returns table (
    name text, version text, queues text[], slots integer[], started_at timestamptz, seen_at timestamptz, running bigint
)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select w.name, w.version, w.queues, w.slots, w.started_at, w.seen_at,
           (select coalesce(sum(cardinality(l.job_ids)), 0) from public.lease l where l.worker = w.name)
    from public.worker w
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by w.seen_at desc, w.name limit 1000;
end;

-- What each tenant has of each queue, for those who watch the whole installation.
create function shares_of_installation(of_user uuid)
returns table (slug text, name text, queue text, weight real, per_s double precision, oldest_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select t.slug, t.name, s.queue, s.weight,
           s.per_s * exp(-least(extract(epoch from clock_timestamp() - s.rated_at), 3600) / 60),
           (select min(front.scheduled_at) from public.lane cross join lateral (
                select job.scheduled_at from public.job
                where job.lane_id = lane.id and job.pos > lane.cursor order by job.pos limit 1) front
            where lane.tenant_id = s.tenant_id and lane.queue = s.queue and lane.asleep_since is null)
    from public.share s join public.tenant t on t.id = s.tenant_id
    where exists (select from public.user_role r where r.user_id = of_user and r.tenant_id is null)
    order by t.slug, s.queue limit 1000;
end;

revoke execute on function append_audit, find_user, count_sign_in, begin_session, end_session, find_session,
    tenants_of_user, audit_of_installation, workers_of_installation, shares_of_installation from public;
grant execute on function append_audit, find_user, count_sign_in, begin_session, end_session, find_session,
    tenants_of_user, audit_of_installation, workers_of_installation, shares_of_installation to crewline_api;

alter table user_account enable row level security;
alter table user_role enable row level security;
alter table user_session enable row level security;
alter table sign_in_try enable row level security;
alter table audit_entry enable row level security;
alter table audit_head enable row level security;

create policy tenant_only on user_role to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy tenant_only on audit_entry to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));

grant select on user_role, audit_entry to crewline_api;
