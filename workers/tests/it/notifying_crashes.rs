//! Workers that die while they send. The promise: nobody is told twice, and what nobody knows is listed.

use clap::ValueEnum;
use jobs::{Channel, MessageId, State};
use store::{
    enqueue::NewJob,
    messages::{self, Filter, Resolution, Resolved},
};
use testkit::{SmtpServer, eventually};
use workers::faults::Point;

use crate::{
    outbound::{becomes, reminder, somebody, start, tries},
    world::{SOON, World},
};

/// A message whose first worker died at `point`, as its second left it.
async fn died_at(world: &World, smtp: &SmtpServer, point: Point) -> (MessageId, String) {
    let name = point.to_possible_value().unwrap().get_name().to_owned();
    let party = somebody(world, "ada@example.test").await;
    let doomed = start(world, smtp, &["--die-at", &name]);
    let job = world.enqueue(&[NewJob::of(&reminder(party, Channel::Email)).unwrap()]).await[0];
    eventually("the worker to die", SOON, || async { doomed.is_dead().then_some(()) }).await;
    let _heir = start(world, smtp, &[]);
    world.reaches(job, State::Completed).await;
    let all = messages::list(&world.api, world.tenant, &Filter::default(), 10).await.unwrap();
    assert_eq!(all.len(), 1, "{name}");
    let state = becomes(world, all[0].id(), &["sent", "unknown"]).await.state;
    world.all_done(2, SOON).await;
    (all[0].id(), state)
}

#[tokio::test]
async fn a_worker_that_dies_beside_the_call_tells_nobody_twice() {
    for point in
        [Point::BeforeClaim, Point::AfterClaim, Point::BeforeEffect, Point::BeforeSettle, Point::AfterSettle]
    {
        let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
        let (id, state) = died_at(&world, &smtp, point).await;
        assert_eq!((state.as_str(), tries(&world, id).await.as_str()), ("sent", "done"), "{point:?}");
        assert_eq!(smtp.kept().unwrap().len(), 1, "{point:?}");
    }
}

#[tokio::test]
async fn a_worker_that_dies_around_the_call_leaves_a_question_and_a_person_answers_it() {
    for (point, mails) in [(Point::BeforeCall, 0), (Point::AfterCall, 1)] {
        let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
        let (id, state) = died_at(&world, &smtp, point).await;
        assert_eq!((state.as_str(), tries(&world, id).await.as_str()), ("unknown", "unknown"), "{point:?}");
        assert_eq!(smtp.kept().unwrap().len(), mails, "{point:?}: nothing is sent again blindly");
        let unknown = Filter { state: Some("unknown".to_owned()), ..Filter::default() };
        let listed = messages::list(&world.api, world.tenant, &unknown, 10).await.unwrap();
        assert_eq!(listed.iter().map(messages::Message::id).collect::<Vec<_>>(), [id]);

        // Somebody has looked into the mail server's log.
        let found = if mails == 0 { Resolution::SendAgain } else { Resolution::Sent };
        let _worker = start(&world, &smtp, &[]);
        let resolved = messages::resolve(&world.api, world.tenant, id, found, "key_1").await.unwrap();
        assert_eq!(resolved, Resolved::Done);
        becomes(&world, id, &["sent"]).await;
        assert_eq!(smtp.kept().unwrap().len(), 1, "{point:?}");
        let again = messages::resolve(&world.api, world.tenant, id, found, "key_1").await.unwrap();
        assert_eq!(again, Resolved::NotUnknown);
    }
}
