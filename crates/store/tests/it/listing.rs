//! Lists over many jobs of which few fit.

use jobs::{JobId, Queue};
use store::{
    enqueue::NewJob,
    listing::{self, Filter, Page},
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
