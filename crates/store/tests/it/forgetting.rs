//! What was told long ago is forgotten with the rest of history; what waits, or waits for a person, is not.

use chrono::{TimeDelta, Utc};
use store::messages::{self, Ended, Gathering, NewMessage};

use crate::{
    messages::{begin, end, new, plan, somebody},
    world::World,
};

#[tokio::test]
async fn old_messages_go_with_what_was_done_for_them() {
    let world = World::new().await;
    let to = somebody(&world).await;
    let gathering = Some(Gathering { thread: String::new(), closes_at: Utc::now() + TimeDelta::hours(1) });
    let gathered = NewMessage { state: "gathered", gathering, ..new(to, "gathered") };
    let [sent, recent, planned, unknown] = ["sent", "recent", "planned", "unknown"].map(|name| new(to, name));
    for message in [&sent, &recent, &planned, &unknown, &gathered] {
        plan(&world, message).await;
    }
    for (message, ended) in
        [(&sent, Ended::Done(None)), (&recent, Ended::Done(None)), (&unknown, Ended::Unknown("x".to_owned()))]
    {
        begin(&world, message.id).await;
        end(&world, message.id, 1, ended).await;
    }
    let old = format!(
        "update message set created_at = now() - interval '40 days' where id <> '{}'",
        recent.id.as_uuid()
    );
    world.database.execute(&old).await.unwrap();
    for (reference, days) in [("visit/1", 500), ("visit/2", 300)] {
        messages::set_subject(&world.api, world.tenant, reference, 1, true).await.unwrap();
        let old = format!(
            "update subject set updated_at = now() - interval '{days} days' where reference = '{reference}'"
        );
        world.database.execute(&old).await.unwrap();
    }
    let today = Utc::now().date_naive();
    assert_eq!(messages::prune(&world.worker, today).await.unwrap(), 2, "a message and a subject");
    let kept = async |id| messages::message(&world.api, world.tenant, id).await.unwrap().is_some();
    assert!(!kept(sent.id).await);
    for message in [&recent, &planned, &unknown, &gathered] {
        assert!(kept(message.id).await, "{}", message.dedupe.0);
    }
    assert_eq!(world.database.number("select count(*) from effect").await.unwrap(), 2);
    assert!(messages::subject(&world.api, world.tenant, "visit/2").await.unwrap().is_some());
    // Once its digest is closed, what it gathered and the digest go too.
    let closed = "update digest set closed_at = now() - interval '40 days'";
    world.database.execute(closed).await.unwrap();
    assert_eq!(messages::prune(&world.worker, today).await.unwrap(), 2);
    assert_eq!(world.database.number("select count(*) from digest").await.unwrap(), 0);
}
