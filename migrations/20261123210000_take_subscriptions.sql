-- Why: a browser is reached at its push subscription, whose address and keys take more room than a mail address.

alter table contact_point drop constraint contact_point_address_check;
alter table contact_point add constraint contact_point_address_check check (length(address) <= 1000);
