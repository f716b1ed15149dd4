//! The settler on its own: one verdict that cannot be stored must not cost the others theirs.

use std::{sync::Arc, time::Duration};

use jobs::{Queue, State};
use serde_json::json;
use store::{
    Role,
    claim::{self, Pick},
    settle::Verdict,
};
use workers::{cx::After, faults::Faults, held::Held, settler::Settler};

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
            .settle(job, Some(Verdict::Completed { result: json!({ "echo": echo }) }), After::default())
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
