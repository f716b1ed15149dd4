use chrono::{Days, Utc};
use jobs::{JobId, State};
use store::{
    housekeeping,
    listing::{self, Filter},
    reads,
    verdict::Verdict,
};

use crate::world::{World, done, probe, trouble};

#[tokio::test]
async fn pages_of_a_list_are_complete_and_without_repeats() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..25 {
        ids.push(world.enqueue(probe()).await);
        if n % 3 == 0 {
            let claimed = world.claim_one().await;
            world
                .settle(&claimed, if n % 2 == 0 { done() } else { Verdict::Discarded { problem: trouble() } })
                .await;
        }
    }
    let mut seen: Vec<JobId> = Vec::new();
    loop {
        let filter = Filter { before: seen.last().copied(), ..Filter::default() };
        let page = listing::list(&world.api, world.tenant, &filter, 4).await.unwrap();
        seen.extend(page.jobs.iter().map(reads::JobRecord::id));
        if page.next.is_none() {
            break;
        }
        assert_eq!(page.next, seen.last().copied());
    }
    ids.reverse();
    assert_eq!(seen, ids);

    for (state, count) in
        [(State::Available, 16), (State::Completed, 5), (State::Discarded, 4), (State::Running, 0)]
    {
        let filter = Filter { state: Some(state), ..Filter::default() };
        let found = listing::list(&world.api, world.tenant, &filter, 100).await.unwrap().jobs;
        assert_eq!(found.len(), count, "{state}");
        assert!(found.iter().all(|job| job.state().unwrap() == state));
    }
}

#[tokio::test]
async fn filters_find_by_kind_and_tag() {
    let world = World::new().await;
    let mut tagged = probe();
    tagged.tags = vec!["vip".into()];
    let tagged = world.enqueue(tagged).await;
    world.enqueue(probe()).await;
    let filter = Filter { tag: Some("vip".into()), kind: Some("probe.work".into()), ..Filter::default() };
    let found = listing::list(&world.api, world.tenant, &filter, 10).await.unwrap().jobs;
    assert_eq!(found.iter().map(reads::JobRecord::id).collect::<Vec<_>>(), [tagged]);
    let filter = Filter { kind: Some("media.rendition".into()), ..Filter::default() };
    assert!(listing::list(&world.api, world.tenant, &filter, 10).await.unwrap().jobs.is_empty());
}

#[tokio::test]
async fn history_is_pruned_by_dropping_whole_days() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    world.settle(&claimed, done()).await;
    housekeeping::ensure_partitions(&world.worker, 7).await.unwrap();
    housekeeping::ensure_partitions(&world.worker, 7).await.unwrap();
    let today = Utc::now().date_naive();
    assert_eq!(housekeeping::drop_partitions(&world.worker, today).await.unwrap(), 0);
    assert_eq!(world.state(id).await, State::Completed);
    // Today's partition, and those of the days to come that precede the limit, of attempts and of log lines.
    let dropped = housekeeping::drop_partitions(&world.worker, today + Days::new(2)).await.unwrap();
    assert_eq!(dropped, 4);
    assert!(reads::get(&world.api, world.tenant, id).await.unwrap().is_none());
    // Without a partition for today the work goes on.
    let id = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    assert!(world.settle(&claimed, done()).await);
    assert_eq!(world.state(id).await, State::Completed);
    housekeeping::ensure_partitions(&world.worker, 3).await.unwrap();
    assert_eq!(world.state(id).await, State::Completed);
}
