//! The settler on its own: one verdict that cannot be stored must not cost the others theirs.

use std::{sync::Arc, time::Duration};

use jobs::{Queue, State};
use serde_json::json;
use store::{
    Role,
    claim::{self, Pick},
    rescue,
    verdict::Verdict,
};
use workers::{cx::After, faults::Faults, held::Held, settler::Settler, stop::Reason};

use crate::world::{World, probes, working};

#[tokio::test]
async fn a_verdict_that_cannot_be_stored_is_discarded_alone() {
    let world = World::new().await;
    let (db, held) = (world.database.db(Role::Worker).unwrap(), Arc::new(Held::default()));
    let jobs = world.enqueue(&probes(3, &working(0))).await;
    let ttl = Duration::from_mins(1);
    let claimed = claim::claim(&db, Queue::Default, Pick::Regular, 3, "w", ttl).await.unwrap();
    held.take(&claimed);
    let settler = Settler::start(db, held.clone(), Faults::default(), ttl, std::sync::Arc::default());
    for (job, echo) in claimed.iter().zip(["good", "a\0b", "good"]) {
        settler
            .settle(
                job,
                Some(Verdict::Completed { result: json!({ "echo": echo }).into() }),
                After::default(),
            )
            .await;
    }
    held.emptied().await;
    let mut states = Vec::new();
    for job in &jobs {
        states.push(world.state(*job).await);
    }
    assert_eq!(states, [State::Completed, State::Discarded, State::Completed]);
    assert_eq!(world.job(jobs[1]).await.error.unwrap().0["code"], "unstorable_verdict");
    assert_eq!(world.database.number("select count(*) from lease").await.unwrap(), 0);
}

/// Whoever sweeps must find the job under its lease, or nothing would tell that it ever ran.
#[tokio::test]
async fn a_lease_outlives_a_job_that_was_let_go_without_a_verdict() {
    let world = World::new().await;
    let (db, held) = (world.database.db(Role::Worker).unwrap(), Arc::new(Held::default()));
    let jobs = world.enqueue(&probes(3, &working(0))).await;
    let ttl = Duration::from_mins(1);
    let claimed = claim::claim(&db, Queue::Default, Pick::Regular, 3, "w", ttl).await.unwrap();
    let stops = held.take(&claimed);
    let settler = Settler::start(db, held.clone(), Faults::default(), ttl, std::sync::Arc::default());

    settler.settle(&claimed[0], None, After::default()).await;
    assert_eq!(
        stops[1].requested().await,
        Reason::LeaseLost,
        "others run on under a lease that was given up"
    );
    assert_eq!(held.leases(), [], "a lease that was given up is renewed");
    let done = Verdict::Completed { result: json!(null).into() };
    settler.settle(&claimed[1], Some(done), After::default()).await;
    settler.settle(&claimed[2], None, After::default()).await;
    held.emptied().await;

    assert_eq!(world.state(jobs[1]).await, State::Completed);
    let rescued =
        rescue::rescue(&world.database.db(Role::Worker).unwrap(), rescue::From::Dead("w")).await.unwrap();
    assert_eq!(rescued.len(), 2);
    assert_eq!(
        (world.story(jobs[0]).await, world.story(jobs[2]).await),
        ("1:crashed".into(), "1:crashed".into())
    );
}
