//! What is left of limits: of a tenant's own, and of those for the whole installation.

use store::{
    enqueue::NewJob,
    limits::{self, Algorithm, Limit, Rate},
    quotas::{self, Quota},
};

use crate::world::{World, done, probe};

fn limit(name: &str, key: Option<&str>, concurrency: Option<u32>, rate: Option<Rate>) -> Limit {
    let (name, key) = (name.to_owned(), key.map(str::to_owned));
    Limit { name, queue: None, kind: None, key, concurrency, rate }
}

async fn left(world: &World) -> Vec<Quota> {
    quotas::list(&world.api, world.tenant).await.unwrap()
}

#[tokio::test]
async fn what_is_left_is_told_of_every_limit_that_holds() {
    let world = World::new().await;
    let rate = Rate { algorithm: Algorithm::Window, count: 5, period_s: 86_400.0, burst: 5 };
    let mine = [
        limit("both", None, Some(3), Some(rate)),
        limit("printers", Some("printer/*"), Some(1), None),
        limit("scanners", Some("scanner/*"), Some(1), None),
    ];
    for limit in &mine {
        assert!(limits::set(&world.api, world.tenant, limit, "tester", 100).await.unwrap());
    }
    limits::set_for_all(&world.owner, &limit("all", None, Some(10), None), "tester").await.unwrap();
    for _ in 0..2 {
        world.enqueue(NewJob { concurrency_key: Some("printer/1".to_owned()), ..probe() }).await;
    }
    world.enqueue(probe()).await;
    let held = world.claim(10).await;
    assert_eq!(held.len(), 2, "one of a printer");

    let found = left(&world).await;
    let named: Vec<_> = found.iter().map(|of| (of.name.as_str(), of.key.as_deref())).collect();
    assert_eq!(
        named,
        [("both", Some("")), ("printers", Some("printer/1")), ("scanners", None), ("all", Some(""))]
    );
    let [both, printers, scanners, all] = &found[..] else { panic!("{found:?}") };
    assert_eq!((both.running, both.places_left(), both.tokens_left()), (Some(2), Some(1), Some(3)));
    assert!(both.is_window() && both.next_at.is_some() && !both.is_used_up());
    assert!(printers.is_used_up() && printers.places_left() == Some(0));
    assert_eq!(
        (scanners.places_left(), scanners.pattern.as_deref(), scanners.is_used_up()),
        (None, Some("scanner/*"), false)
    );
    assert!(all.whole_installation && all.places_left() == Some(8));

    assert_eq!(world.settle_all(&held, &done()).await, 2);
    let found = left(&world).await;
    assert_eq!((found[0].places_left(), found[0].tokens_left()), (Some(3), Some(3)), "a rate stays used");
    let other = world.tenant("other").await;
    let theirs = quotas::list(&world.api, other).await.unwrap();
    assert_eq!(theirs.iter().map(|of| of.name.as_str()).collect::<Vec<_>>(), ["all"]);
}
