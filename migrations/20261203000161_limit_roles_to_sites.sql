-- Why: a house may have several sites, and whoever works at one of them is not sent to the others.

-- The sites at which the roles hold; everywhere when there are none.
alter table membership add column sites text[] not null default '{}';
