-- Why: a carrier that is asked whether a text message went out lists equal ones to the same number. Which of them are
-- other messages of ours, of whatever tenant, is known by the names that the carrier gave them.

create index effect_by_provider on effect (provider, provider_id) where provider_id is not null;
