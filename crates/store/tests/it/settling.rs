use std::time::Duration;

use jobs::State;
use serde_json::json;
use store::{
    claim, logs, relatives, release,
    retry::{self, Retried},
    settle,
    verdict::{Settle, Verdict},
};

use crate::world::{LEASE, World, done, probe, retry_now, trouble};

#[tokio::test]
async fn a_completed_job_keeps_its_result_and_leaves_the_live_table() {
    let world = World::new().await;
    let mut new = probe();
    new.tags = vec!["red".into(), "blue".into()];
    new.metadata = Some(json!({"order": 7}));
    let id = world.enqueue(new).await;
    assert_eq!(world.state(id).await, State::Available);
    let claimed = world.claim_one().await;
    assert_eq!((world.state(id).await, claimed.attempt), (State::Running, 1));
    assert!(world.settle(&claimed, done()).await);

    let job = world.job(id).await;
    assert_eq!(job.state().unwrap(), State::Completed);
    assert_eq!(job.result.unwrap().0, json!({"ok": true}).into());
    assert_eq!(job.tags.unwrap(), ["red", "blue"]);
    assert_eq!(job.metadata.unwrap().0, json!({"order": 7}));
    assert_eq!(job.worker.as_deref(), Some("w1"));
    assert_eq!(world.story(id).await, "1:completed");
    assert!(!world.settle(&claimed, done()).await, "a job was settled twice");
}

#[tokio::test]
async fn attempts_are_counted_exactly() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let snooze = || Verdict::Snoozed { problem: trouble(), delay: Duration::ZERO };
    for verdict in [retry_now(), snooze(), Verdict::Returned, retry_now()] {
        release::promote_due(&world.worker).await.unwrap();
        let claimed = world.claim_one().await;
        assert!(world.settle(&claimed, verdict).await);
    }
    release::promote_due(&world.worker).await.unwrap();
    let last = world.claim_one().await;
    assert_eq!((last.attempt, last.max_attempts), (3, 3), "a snooze or a hand-back used up an attempt");
    assert!(world.settle(&last, Verdict::Discarded { problem: trouble() }).await);
    assert_eq!(world.story(id).await, "1:retried 2:snoozed 2:returned 2:retried 3:discarded");
    let job = world.job(id).await;
    assert_eq!((job.state().unwrap(), job.attempt), (State::Discarded, 3));
    assert_eq!(job.error.unwrap().0["code"], "trouble");
}

#[tokio::test]
async fn a_retried_job_waits_for_its_delay() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    world.settle(&claimed, Verdict::Retried { problem: trouble(), delay: Duration::from_mins(10) }).await;
    release::promote_due(&world.worker).await.unwrap();
    assert!(world.claim(1).await.is_empty());
    assert_eq!(world.state(id).await, State::Retryable);
    let wait = (world.job(id).await.scheduled_at - chrono::Utc::now()).num_seconds();
    assert!((590..=600).contains(&wait), "{wait}");

    assert_eq!(retry::retry(&world.api, world.tenant, id).await.unwrap(), Retried::Available);
    assert_eq!(world.claim_one().await.attempt, 2);
}

#[tokio::test]
async fn a_stale_verdict_among_a_hundred_disturbs_nobody() {
    let world = World::new().await;
    let new: Vec<_> = (0..100).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let claimed = world.claim(100).await;
    let mut batch: Vec<Settle> = claimed.iter().map(|job| Settle::of(job, done())).collect();
    batch[41].fence += 1;
    let accepted = settle::settle(&world.worker, &batch, &[]).await.unwrap();
    assert_eq!(accepted.len(), 99);
    assert!(!accepted.contains(&batch[41].job));
    assert_eq!(world.state(claimed[41].id).await, State::Running);
}

#[tokio::test]
async fn one_flush_settles_every_kind_of_verdict() {
    let world = World::new().await;
    let new: Vec<_> = (0..6).map(|_| probe()).collect();
    world.enqueue_all(world.tenant, &new).await;
    let claimed = world.claim(6).await;
    let delay = Duration::from_mins(1);
    let verdicts = [
        done(),
        Verdict::Retried { problem: trouble(), delay },
        Verdict::Snoozed { problem: trouble(), delay },
        Verdict::Returned,
        Verdict::Cancelled { problem: trouble() },
        Verdict::Discarded { problem: trouble() },
    ];
    let batch: Vec<_> = claimed.iter().zip(verdicts).map(|(job, verdict)| Settle::of(job, verdict)).collect();
    let lease = claimed[0].lease;
    assert_eq!(settle::settle(&world.worker, &batch, &[lease]).await.unwrap().len(), 6);
    let mut states = Vec::new();
    for job in &claimed {
        states.push(world.state(job.id).await);
    }
    let names = states.iter().map(|state| state.name()).collect::<Vec<_>>().join(" ");
    assert_eq!(names, "completed retryable scheduled available cancelled discarded");
    assert!(
        claim::renew(&world.worker, &[lease], LEASE).await.unwrap().is_empty(),
        "the lease was not dropped"
    );
}

#[tokio::test]
async fn follow_up_jobs_come_with_the_verdict_or_not_at_all() {
    let world = World::new().await;
    world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    let (follow, never) = (probe(), probe());
    let mut stale = Settle::of(&claimed, done());
    stale.fence += 1;
    assert!(!settle::settle_with(&world.worker, &stale, std::slice::from_ref(&never), &[]).await.unwrap());
    let good = Settle::of(&claimed, done());
    assert!(settle::settle_with(&world.worker, &good, std::slice::from_ref(&follow), &[]).await.unwrap());
    assert!(!settle::settle_with(&world.worker, &good, &[never], &[]).await.unwrap());
    let next = world.claim(10).await;
    assert_eq!(next.iter().map(|job| job.id).collect::<Vec<_>>(), [follow.id]);
    assert_eq!(next[0].tenant, world.tenant);

    let near = async |job| {
        let found = relatives::of_job(&world.api, world.tenant, job, 10).await.unwrap();
        found.into_iter().map(|one| (one.id(), one.is_parent, one.state)).collect::<Vec<_>>()
    };
    assert_eq!(near(claimed.id).await, [(follow.id, false, "running".to_owned())]);
    assert_eq!(near(follow.id).await, [(claimed.id, true, "completed".to_owned())]);
    let stranger = world.tenant("other").await;
    assert!(relatives::of_job(&world.api, stranger, follow.id, 10).await.unwrap().is_empty());
    let tomorrow = chrono::Utc::now().date_naive() + chrono::Days::new(1);
    assert_eq!(relatives::prune(&world.worker, tomorrow).await.unwrap(), 1);
    assert!(near(follow.id).await.is_empty());
}

#[tokio::test]
async fn progress_and_lines_are_kept_and_progress_is_fenced() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let claimed = world.claim_one().await;
    let progress = |percent| logs::Said::Progress { percent, message: "working".into() };
    let line = |n: u32| logs::Said::Line { level: logs::Level::Info, message: format!("line {n}") };
    let said: Vec<_> =
        [line(1), progress(40), line(2)].into_iter().map(|said| (claimed.clone(), said)).collect();
    logs::say(&world.worker, &said).await.unwrap();
    assert_eq!(world.job(id).await.progress_percent, Some(40));
    let lines = logs::lines(&world.api, world.tenant, id, 0, 100).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.message.as_str()).collect::<Vec<_>>(), ["line 1", "line 2"]);
    let rest = logs::lines(&world.api, world.tenant, id, lines[0].seq, 100).await.unwrap();
    assert_eq!(rest.len(), 1);

    world.settle(&claimed, Verdict::Returned).await;
    assert_eq!(world.job(id).await.progress_percent, None);
    logs::say(&world.worker, &[(claimed, progress(90))]).await.unwrap();
    assert_eq!(world.job(id).await.progress_percent, None, "an attempt that was over moved the bar");
}

#[tokio::test]
async fn an_ended_job_can_begin_again_under_its_id() {
    let world = World::new().await;
    let id = world.enqueue(probe()).await;
    let first = world.claim_one().await;
    world.settle(&first, Verdict::Discarded { problem: trouble() }).await;
    assert_eq!(retry::retry(&world.api, world.tenant, id).await.unwrap(), Retried::Available);
    assert_eq!(world.state(id).await, State::Available);
    let second = world.claim_one().await;
    assert_eq!((second.id, second.attempt), (id, 2));
    assert_eq!(retry::retry(&world.api, world.tenant, id).await.unwrap(), Retried::Running);
    assert!(!world.settle(&first, done()).await, "the first run's verdict was accepted for the second");
    assert!(world.settle(&second, done()).await);
    assert_eq!(world.story(id).await, "1:discarded 2:completed");
    assert_eq!(world.state(id).await, State::Completed);
    let nobody = jobs::JobId::new();
    assert_eq!(retry::retry(&world.api, world.tenant, nobody).await.unwrap(), Retried::NotFound);
}
