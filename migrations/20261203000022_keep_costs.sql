-- Why: what a text message cost is known to its carrier alone, and somebody has to account for it.

alter table message add column cost_amount numeric, add column cost_currency text;
alter table message add constraint message_cost_check check (
    (cost_amount is null) = (cost_currency is null) and cost_amount >= 0 and cost_currency ~ '^[A-Z]{3}$') not valid;
alter table message validate constraint message_cost_check;
