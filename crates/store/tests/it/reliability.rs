//! What was seen of people, and how they answer.

use matching::Past;
use store::{
    matches::{self, Decided, Word},
    people::{self, Answers, Noted, Observed},
};

use crate::{
    matching::{answer, decide, request, wanted},
    people::technician,
    world::World,
};

#[tokio::test]
async fn how_often_somebody_answers_is_counted_and_silence_is_not_being_late() {
    let world = World::new().await;
    let who = technician(&world, world.tenant).await;
    let seen = async |tenant| people::reliability(&world.api, tenant, who).await.unwrap();
    let fresh = seen(world.tenant).await.unwrap();
    assert_eq!((fresh.answers.percent(), fresh.past), (None, Past::default()));
    let ask = async |answer_s| {
        let id = request(&world, wanted()).await;
        let offer = match decide(&world, id, 1, answer_s).await {
            Decided::Offered(offer) => Some(offer),
            _ => None,
        };
        (id, offer.expect("their time is free"))
    };
    let (_, declined) = ask(900).await;
    answer(&world, declined, Word::Declined).await;
    let (_, silent) = ask(0).await;
    assert_eq!(matches::expire(&world.worker, world.tenant, silent, 1).await.unwrap(), Some(true));
    let (taken_back, _) = ask(900).await;
    matches::cancel(&world.api, world.tenant, taken_back).await.unwrap();
    let (_, accepted) = ask(900).await;
    answer(&world, accepted, Word::Accepted).await;
    let now = seen(world.tenant).await.unwrap();
    assert_eq!(now.answers, Answers { accepted: 1, declined: 1, silent: 1 });
    assert_eq!((now.answers.percent(), now.past), (Some(66), Past::default()), "nobody waited for them");
    let noted = people::observe(&world.api, world.tenant, who, Observed::Visit { on_time: true }, None);
    assert_eq!(noted.await.unwrap(), Noted::New);
    let came = seen(world.tenant).await.unwrap();
    assert_eq!((came.past.visits, came.past.on_time, came.answers), (1, 1, now.answers));
    assert!(came.past.reliability() > now.past.reliability());
    let long_ago = "update offer set sent_at = now() - interval '181 days'";
    world.database.execute(long_ago).await.unwrap();
    assert_eq!(seen(world.tenant).await.unwrap().answers, Answers::default());
    assert!(seen(world.tenant("other").await).await.is_none());
}
