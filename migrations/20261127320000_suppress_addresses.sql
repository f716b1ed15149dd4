-- Why: who answered STOP, called a mail spam, or is not there, said so about an address and not about a row of ours. It holds
-- for every party of the tenant with that address, and when it is forgotten and noted again.

-- What an address is compared by. Servers that tell Ada@ from ada@ are not known to have both.
create function address_sha256(channel text, address text) returns bytea
language sql stable strict parallel safe set search_path = pg_catalog
begin atomic
    select sha256(convert_to(case when channel = 'email' then lower(address) else address end, 'UTF8'));
end;

-- Kept as a hash, for as long as the tenant is: to forget it would be to write to them again.
create table suppressed_address (
    tenant_id uuid not null references tenant (id) on delete cascade,
    channel text not null check (channel in ('email', 'sms', 'push', 'chat', 'in_app')),
    address_sha256 bytea not null check (length(address_sha256) = 32),
    word text not null check (word in ('hard_bounce', 'complaint', 'stop')),
    -- Who said so: a key, a link, a provider.
    source text not null check (length(source) between 1 and 200),
    since timestamptz not null default clock_timestamp(),
    primary key (tenant_id, channel, address_sha256)
);

-- What was said before. An inbox has no address: it is compared by its own id.
insert into suppressed_address (tenant_id, channel, address_sha256, word, source, since)
select distinct on (1, 2, 3) c.tenant_id, c.channel,
    address_sha256(c.channel, coalesce(nullif(c.address, ''), c.id::text)), last.word, last.source, last.said_at
from contact_point c
join lateral (
    select k.word, k.source, k.said_at from consent k where k.contact_point_id = c.id and k.category is null
    order by k.number desc limit 1) last on last.word <> 'released'
order by 1, 2, 3, last.word = 'complaint', last.said_at desc;

alter table suppressed_address enable row level security;
create policy tenant_only on suppressed_address to crewline_api using (tenant_id = (select current_tenant())) with check (tenant_id = (select current_tenant()));
create policy worker_sees_all on suppressed_address to crewline_worker using (true) with check (true);
grant select, insert, update, delete on suppressed_address to crewline_api, crewline_worker;
