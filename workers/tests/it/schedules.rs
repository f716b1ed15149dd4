//! Schedules with several processes at work, one of which dies again and again: a slot has one job.

use schedule::{CatchUp, CatchUpRule, Cron, Overlap, Zone};
use serde_json::json;
use store::{
    schedules::{self, Created, Wanted},
    submit::Answer,
};
use testkit::eventually;

use crate::world::{SOON, World};

#[tokio::test]
async fn a_schedule_loses_no_second_and_repeats_none_while_workers_die() {
    let world = World::new().await;
    let wanted = Wanted {
        name: "pulse".into(),
        cron: Cron::parse("* * * * * *").unwrap(),
        zone: Zone::UTC,
        kind: "probe.work",
        kind_version: 2,
        args: json!({}),
        queue: None,
        priority: None,
        max_attempts: None,
        tags: Vec::new(),
        metadata: None,
        overlap: Overlap::Allow,
        catch_up: CatchUpRule { policy: CatchUp::None, slots_max: 1, age_s: 60 },
    };
    let answer = |made: &schedules::Schedule| Answer::of(201, None, &json!({"id": made.id()}));
    let created =
        schedules::create(&world.api, world.tenant, &wanted, "test", 1, None, answer).await.unwrap();
    let Created::New(answer) = created else { panic!("{created:?}") };
    let id = serde_json::from_str::<serde_json::Value>(&answer.body).unwrap()["id"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();

    let _steady = world.start(&["--queues", "default"]);
    let mut victim = world.start(&["--queues", "default"]);
    for enough in [2, 4, 6, 8] {
        eventually("slots to come", SOON, || async {
            (world.database.number("select count(*) from schedule_fire").await.unwrap() >= enough)
                .then_some(())
        })
        .await;
        victim.kill();
        victim = world.start(&["--queues", "default"]);
    }
    schedules::pause(&world.api, world.tenant, id, "enough", "test").await.unwrap();
    let count = world.database.number("select count(*) from schedule_fire").await.unwrap();
    world.all_done(count, SOON).await;
    for (what, sql) in [
        ("one outcome", "select count(*) from schedule_fire where outcome = 'enqueued'"),
        ("one job each", "select count(distinct job_id) from schedule_fire"),
        ("every second", "select extract(epoch from max(slot) - min(slot))::bigint + 1 from schedule_fire"),
        (
            "their jobs and no other",
            "select count(distinct job_id) from attempt a where final_state = 'completed'
             and exists (select from schedule_fire f where f.job_id = a.job_id and f.slot = a.scheduled_at)",
        ),
    ] {
        assert_eq!(world.database.number(sql).await.unwrap(), count, "{what}");
    }
}
