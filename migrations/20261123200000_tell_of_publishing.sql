-- Why: a delivery that is not published yet waits for something, or will never be. Its publishing job knows which, and whoever
-- asks after the delivery should not have to find that job first.

alter table delivery add column publish_job uuid;
