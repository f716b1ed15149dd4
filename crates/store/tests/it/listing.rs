//! Lists over many jobs of which few fit.

use chrono::{TimeDelta, Utc};
use jobs::{JobId, Queue, State};
use serde_json::json;
use store::{
    enqueue::NewJob,
    listing::{self, Filter, Page},
    looking_into::{self, Held},
    reads::JobRecord,
};

use crate::world::{World, done, probe};

/// More than one page looks at.
const BURIED: u32 = 20_001;
/// More than the index of tags is asked for.
const COMMON: u32 = 20_001;

impl World {
    /// So many copies of a waiting job, newer than all that were made in the ordinary way; later `layer`s are newer.
    async fn bury(&self, job: JobId, layer: u8, count: u32) {
        let sql = format!(
            "insert into job (tenant_id, id, pos, created_at, scheduled_at, lane_id, kind_version, max_attempts, kind, args, tags)
             select tenant_id, ('fffffff{layer}-ffff-7fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, pos, created_at,
                 scheduled_at, lane_id, kind_version, max_attempts, kind, args, tags
             from job, generate_series(1, {count}) n where id = '{}'",
            job.as_uuid()
        );
        self.database.execute(&sql).await.unwrap();
    }

    /// The same of a job that ended.
    async fn bury_ended(&self, job: JobId, count: u32) {
        let sql = format!(
            "insert into attempt (tenant_id, job_id, fence, attempt, kind_version, max_attempts, priority, created_at,
                 scheduled_at, finished_at, outcome, final_state, kind, queue, key, promise_s)
             select tenant_id, ('fffffff9-ffff-7fff-8fff-' || lpad(to_hex(n), 12, '0'))::uuid, fence, attempt, kind_version,
                 max_attempts, priority, created_at, scheduled_at, finished_at, outcome, final_state, kind, queue, key, promise_s
             from attempt, generate_series(1, {count}) n where job_id = '{}'",
            job.as_uuid()
        );
        self.database.execute(&sql).await.unwrap();
    }

    async fn page(&self, filter: &Filter) -> Page {
        listing::list(&self.api, self.tenant, filter, 10).await.unwrap()
    }

    /// Every job of a filter, and how many pages it took.
    async fn all(&self, filter: Filter) -> (Vec<JobId>, usize) {
        let (mut found, mut pages, mut filter) = (Vec::new(), 0, filter);
        loop {
            let page = self.page(&filter).await;
            found.extend(page.jobs.iter().map(JobRecord::id));
            pages += 1;
            match page.next {
                Some(next) => filter.before = Some(next),
                None => return (found, pages),
            }
        }
    }
}

fn kind(kind: &str) -> Filter {
    Filter { kind: Some(kind.into()), ..Filter::default() }
}

fn tag(tag: &str) -> Filter {
    Filter { tag: Some(tag.into()), ..Filter::default() }
}

#[tokio::test]
async fn what_is_rare_is_found_under_what_is_not() {
    let world = World::new().await;
    let odd = world.enqueue(NewJob { kind: "media.rendition", ..probe() }).await;
    let tagged = world.enqueue(NewJob { tags: vec!["vip".into(), "blue".into()], ..probe() }).await;
    let plain = world.enqueue(probe()).await;
    world.bury(plain, 0, BURIED).await;
    assert_eq!(world.all(tag("vip")).await, (vec![tagged], 1), "an index knows the tag");
    assert_eq!(
        world.all(kind("media.rendition")).await,
        (vec![odd], 2),
        "the second page looks further back"
    );
    let both = Filter { kind: Some("media.rendition".into()), ..tag("vip") };
    assert_eq!(world.all(both).await, (Vec::new(), 1));
    let before = Filter { before: Some(tagged), ..tag("blue") };
    assert!(world.page(&before).await.jobs.is_empty());
    for nobody in
        [kind("media.transcode"), tag("nobody"), Filter { queue: Some(Queue::Media), ..Filter::default() }]
    {
        assert_eq!(world.all(nobody.clone()).await, (Vec::new(), 1), "{nobody:?}");
    }
    let other = world.tenant("other").await;
    let strangers = listing::list(&world.api, other, &tag("vip"), 10).await.unwrap();
    assert!(strangers.jobs.is_empty() && strangers.next.is_none());
}

#[tokio::test]
async fn what_ended_is_found_alike() {
    let world = World::new().await;
    let mut ended = Vec::new();
    for new in [NewJob { kind: "media.rendition", tags: vec!["vip".into()], ..probe() }, probe()] {
        ended.push(world.enqueue(new).await);
        let claimed = world.claim_one().await;
        assert!(world.settle(&claimed, done()).await);
    }
    world.bury_ended(ended[1], BURIED).await;
    assert_eq!(world.all(tag("vip")).await, (vec![ended[0]], 1));
    assert_eq!(world.all(kind("media.rendition")).await, (vec![ended[0]], 2));
}

#[tokio::test]
async fn a_tag_that_many_have_is_walked_to() {
    let world = World::new().await;
    let tagged = world.enqueue(NewJob { tags: vec!["common".into()], ..probe() }).await;
    let plain = world.enqueue(probe()).await;
    world.bury(tagged, 0, COMMON).await;
    world.bury(plain, 1, BURIED).await;
    let first = world.page(&tag("common")).await;
    assert!(first.jobs.is_empty(), "none of the newest has it");
    let second = world.page(&Filter { before: first.next, ..tag("common") }).await;
    assert_eq!((second.jobs.len(), second.next), (10, second.jobs.last().map(JobRecord::id)));
}

#[tokio::test]
async fn jobs_are_found_by_when_they_were_asked_for_and_when_they_ended() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(world.enqueue(probe()).await);
    }
    let claimed = world.claim_one().await;
    assert!(world.settle(&claimed, done()).await);
    let (now, hour) = (Utc::now(), TimeDelta::hours(1));
    let found = async |filter: Filter| world.all(filter).await.0.len();
    let any = Filter::default;
    assert_eq!(
        found(Filter { created_after: Some(now - hour), created_before: Some(now + hour), ..any() }).await,
        3
    );
    assert_eq!(found(Filter { created_before: Some(now - hour), ..any() }).await, 0);
    assert_eq!(found(Filter { created_after: Some(now + hour), ..any() }).await, 0);
    let second = ids[1].created_at();
    let until = world.all(Filter { created_before: Some(second), ..any() }).await.0;
    assert!(until.iter().all(|job| job.created_at() < second) && !until.contains(&ids[2]), "{until:?}");
    let ended = Filter { finished_after: Some(now - hour), finished_before: Some(now + hour), ..any() };
    assert_eq!(world.all(ended.clone()).await.0, [claimed.id], "what has not ended did not end then");
    assert_eq!(found(Filter { finished_before: Some(now - hour), ..any() }).await, 0);
    assert_eq!(found(Filter { finished_after: Some(now + hour), ..any() }).await, 0);
    assert_eq!(found(Filter { state: Some(State::Available), ..ended }).await, 0);
}

#[tokio::test]
async fn what_was_asked_for_long_ago_is_found_at_once() {
    let world = World::new().await;
    let old = world.enqueue(probe()).await;
    let plain = world.enqueue(probe()).await;
    world.bury(plain, 0, BURIED).await;
    let before =
        Filter { created_before: Some(plain.created_at() + TimeDelta::seconds(1)), ..Filter::default() };
    let (found, pages) = world.all(Filter { kind: Some("probe.work".into()), ..before }).await;
    assert!(found.contains(&old) && pages == 1, "{pages} pages");
}

#[tokio::test]
async fn jobs_are_found_by_what_their_arguments_hold() {
    let world = World::new().await;
    let args = |echo: &str| NewJob { args: json!({"echo": echo}).into(), ..probe() };
    let wanted = world.enqueue(args("rosebud")).await;
    for n in 0..250 {
        world.enqueue(args(&format!("other {n}"))).await;
    }
    let claimed = world.enqueue(args("rosebud")).await;
    let held = |text: &str| Held::new("echo", text);
    let look = async |filter: &Filter, text: &str| {
        looking_into::list(&world.api, world.tenant, filter, &held(text), 10).await.unwrap()
    };
    let page = look(&Filter::default(), "rosebud").await;
    assert_eq!(page.jobs.iter().map(JobRecord::id).collect::<Vec<_>>(), [claimed, wanted]);
    assert!(page.next.is_none(), "all were looked into");
    assert!(look(&Filter::default(), "rose").await.jobs.is_empty());
    assert!(
        look(&Filter { state: Some(State::Completed), ..Filter::default() }, "rosebud").await.jobs.is_empty()
    );
    let one =
        looking_into::list(&world.api, world.tenant, &Filter::default(), &held("rosebud"), 1).await.unwrap();
    assert_eq!((one.jobs.len(), one.next), (1, Some(claimed)));
    let rest = look(&Filter { before: one.next, ..Filter::default() }, "rosebud").await;
    assert_eq!(rest.jobs[0].id(), wanted);
    let other = world.tenant("other").await;
    let strangers =
        looking_into::list(&world.api, other, &Filter::default(), &held("rosebud"), 10).await.unwrap();
    assert!(strangers.jobs.is_empty());
}
