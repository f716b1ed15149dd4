-- Why: whoever looks at a tenant's home has to see that workers fell silent and that Redis is gone, although jobs go on without
-- either. The api never asks Redis; workers do, and say with every beat whether it answers them.

alter table worker add column redis_lost_at timestamptz;

-- How the workers stand: those that fell silent lately and said no good-bye, and those that are there and cannot reach Redis.
create function workers_here() returns table (here bigint, silent bigint, without_redis bigint, redis_lost_at timestamptz)
language sql stable security definer set search_path = pg_catalog, public
begin atomic
    select count(*) filter (where w.seen_at > clock_timestamp() - interval '30 s'),
           count(*) filter (where w.seen_at <= clock_timestamp() - interval '30 s'),
           count(w.redis_lost_at) filter (where w.seen_at > clock_timestamp() - interval '30 s'),
           min(w.redis_lost_at) filter (where w.seen_at > clock_timestamp() - interval '30 s')
    from public.worker w
    where w.seen_at > clock_timestamp() - interval '10 min';
end;

revoke execute on function workers_here from public;
grant execute on function workers_here to crewline_api;
