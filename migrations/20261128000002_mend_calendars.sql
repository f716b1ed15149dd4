-- Why: what a person says of an edit holds for that edit and for no later one; what was read before something was written says
-- nothing of it; the year that a feed shows moves on each day; and whoever refuses us is left alone in the end.

-- How the entry was when a person said that what is booked here holds; none when they saw that it was gone.
alter table calendar_push add column forced_etag text;
-- When it was noted how the booking stands there.
alter table calendar_push add column settled_at timestamptz;
-- When its file is made anew, whatever was booked meanwhile.
alter table calendar_feed add column rolls_at timestamptz not null default now() + interval '1 day';
create index calendar_feed_rolling on calendar_feed (rolls_at);
-- Since when it does not let us in.
alter table calendar_link add column refused_since timestamptz;
