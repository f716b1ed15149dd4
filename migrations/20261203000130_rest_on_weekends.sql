-- Why: whoever is challenged on a Friday evening had until Saturday evening, with nobody in the office. Hours of Saturdays and
-- Sundays do not count any more, by the clock of whoever is booked. Nights do: a day of the week has all hours of an office once.

create function challenged_until(challenged_at timestamptz, zone text) returns timestamptz
language sql stable set search_path = pg_catalog as $$
    select (case
        when extract(isodow from here) = 5 then here + interval '3 days'
        when extract(isodow from here) > 5 then date_trunc('week', here) + interval '8 days'
        else here + interval '1 day'
    end) at time zone zone
    from (select challenged_at at time zone zone as here) at_their_place
$$;
