//! A limit counts together what it names, and nothing else: every scope, in every way of counting.

use std::collections::{BTreeMap, HashMap};

use jobs::{JobId, Queue, TenantId};
use store::{
    claim::{self, Claimed, Pick},
    enqueue::NewJob,
    limits::{self, Algorithm, Limit, Rate},
    settle,
    verdict::Settle,
};

use crate::world::{LEASE, World, done, probe};

/// Jobs of each group, and how many of those that are counted together may run or begin.
const EACH: usize = 5;
const MOST: u32 = 2;
/// Nothing comes back of a rate while a test lasts.
const LONG_S: f32 = 2_678_400.0;

/// Jobs that no limit could tell apart.
struct Group {
    mine: bool,
    queue: Queue,
    kind: &'static str,
    key: Option<&'static str>,
}

const GROUPS: [Group; 6] = [
    Group { mine: true, queue: Queue::Default, kind: "probe.work", key: None },
    Group { mine: true, queue: Queue::Default, kind: "probe.work", key: Some("printer/1") },
    Group { mine: true, queue: Queue::Default, kind: "media.scan", key: Some("printer/2") },
    Group { mine: true, queue: Queue::Media, kind: "media.scan", key: None },
    Group { mine: true, queue: Queue::Media, kind: "probe.work", key: Some("printer/1") },
    Group { mine: false, queue: Queue::Default, kind: "probe.work", key: Some("printer/1") },
];

/// What a limit names, and under which name a group is counted; none when it is not.
struct Scope {
    name: &'static str,
    everybody: bool,
    queue: Option<&'static str>,
    kind: Option<&'static str>,
    key: Option<&'static str>,
    counted: fn(&Group) -> Option<&'static str>,
}

const ALL: Scope =
    Scope { name: "", everybody: false, queue: None, kind: None, key: None, counted: |_| Some("") };

const SCOPES: [Scope; 7] = [
    Scope { name: "a tenant", ..ALL },
    Scope {
        name: "a queue",
        queue: Some("default"),
        counted: |group| (group.queue == Queue::Default).then_some(""),
        ..ALL
    },
    Scope {
        name: "a kind",
        kind: Some("probe.work"),
        counted: |group| (group.kind == "probe.work").then_some(""),
        ..ALL
    },
    Scope {
        name: "a key",
        key: Some("printer/1"),
        counted: |group| (group.key == Some("printer/1")).then_some(""),
        ..ALL
    },
    Scope { name: "every key that begins so", key: Some("printer/*"), counted: |group| group.key, ..ALL },
    Scope {
        name: "a key in a queue",
        queue: Some("media"),
        key: Some("printer/1"),
        counted: |group| (group.queue == Queue::Media && group.key.is_some()).then_some(""),
        ..ALL
    },
    Scope {
        name: "a queue, of all tenants together",
        everybody: true,
        queue: Some("default"),
        counted: |group| (group.queue == Queue::Default).then_some(""),
        ..ALL
    },
];

impl Scope {
    fn of(&self, group: &Group) -> Option<&'static str> {
        (self.everybody || group.mine).then(|| (self.counted)(group)).flatten()
    }

    /// Limits that name this and count in each way.
    fn limits(&self) -> [(&'static str, Limit); 3] {
        let none = Limit {
            name: "limit".into(),
            queue: self.queue.map(str::to_owned),
            kind: self.kind.map(str::to_owned),
            key: self.key.map(str::to_owned),
            concurrency: None,
            rate: None,
        };
        let rate = |algorithm| Rate { algorithm, count: MOST, period_s: LONG_S, burst: MOST };
        [
            ("at once", Limit { concurrency: Some(MOST), ..none.clone() }),
            ("bucket", Limit { rate: Some(rate(Algorithm::Bucket)), ..none.clone() }),
            ("window", Limit { rate: Some(rate(Algorithm::Window)), ..none }),
        ]
    }
}

impl World {
    /// Everything that may begin now, in both queues.
    async fn all_that_may_begin(&self) -> Vec<Claimed> {
        let mut begun = Vec::new();
        for queue in [Queue::Default, Queue::Media] {
            begun.extend(claim::claim(&self.worker, queue, Pick::Regular, 100, "w", LEASE).await.unwrap());
        }
        begun
    }

    /// Puts jobs of every group into line; answers the group of each.
    async fn stand_in_line(&self, tenant: TenantId) -> HashMap<JobId, usize> {
        let mut group_of = HashMap::new();
        for (at, group) in GROUPS.iter().enumerate() {
            let job = || NewJob {
                queue: group.queue,
                kind: group.kind,
                concurrency_key: group.key.map(str::to_owned),
                ..probe()
            };
            let jobs: Vec<NewJob> = (0..EACH).map(|_| job()).collect();
            group_of.extend(jobs.iter().map(|job| (job.id, at)));
            self.enqueue_all(if group.mine { tenant } else { self.tenant }, &jobs).await;
        }
        group_of
    }

    async fn set(&self, scope: &Scope, tenant: TenantId, limit: &Limit) {
        if scope.everybody {
            limits::set_for_all(&self.owner, limit, "tester").await.unwrap();
        } else {
            assert!(limits::set(&self.api, tenant, limit, "tester", 100).await.unwrap());
        }
    }

    async fn unset(&self, scope: &Scope, tenant: TenantId) {
        assert!(if scope.everybody {
            limits::remove_for_all(&self.owner, "limit").await.unwrap()
        } else {
            limits::remove(&self.api, tenant, "limit").await.unwrap()
        });
    }
}

#[tokio::test]
async fn a_limit_counts_what_it_names_and_nothing_else() {
    let world = World::new().await;
    for (scope, (way, limit)) in SCOPES.iter().flat_map(|scope| scope.limits().map(|limit| (scope, limit))) {
        let case = format!("{}, {way}", scope.name);
        let tenant = world.tenant(&case.replace([' ', ','], "-")).await;
        world.set(scope, tenant, &limit).await;
        let group_of = world.stand_in_line(tenant).await;
        let mut begun = world.all_that_may_begin().await;
        let mut counted: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for job in &begun {
            *counted.entry(scope.of(&GROUPS[group_of[&job.id]])).or_default() += 1;
        }
        let mut wanted: BTreeMap<Option<&str>, usize> = BTreeMap::new();
        for group in &GROUPS {
            let together = scope.of(group);
            let allowed = wanted.entry(together).or_default();
            *allowed = if together.is_some() { MOST as usize } else { *allowed + EACH };
        }
        assert_eq!(counted, wanted, "{case}");
        assert!(world.all_that_may_begin().await.is_empty(), "{case}: all that may run does");

        let at = begun.iter().position(|job| scope.of(&GROUPS[group_of[&job.id]]).is_some()).unwrap();
        let ended = Settle::of(&begun.swap_remove(at), done());
        assert_eq!(settle::settle(&world.worker, &[ended], &[]).await.unwrap().len(), 1);
        let next = world.all_that_may_begin().await;
        // The end of a job makes room among those that run; what has begun has begun.
        assert_eq!(next.len(), usize::from(limit.concurrency.is_some()), "{case}");
        begun.extend(next);

        world.unset(scope, tenant).await;
        begun.extend(world.all_that_may_begin().await);
        assert_eq!(begun.len(), GROUPS.len() * EACH - 1, "{case}: nothing is held back any more");
        let leases: Vec<_> = begun.iter().map(|job| job.lease).collect();
        let ends: Vec<Settle> = begun.iter().map(|job| Settle::of(job, done())).collect();
        settle::settle(&world.worker, &ends, &leases).await.unwrap();
    }
}
