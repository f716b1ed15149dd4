//! Workflows: every step begins once, and ends as its jobs did, whatever dies in between.

use jobs::{Priority, Queue, State, WorkflowId};
use serde_json::{Value, json};
use store::{
    bulk::Action,
    relatives,
    retry::{self, Retried},
    settle, stepping,
    submit::Answer,
    verdict::{Settle, Verdict},
    workflow_retry::{self, WorkflowRetried},
    workflows::{self, Created, NewStep, NewWorkflow, Spec, Step, WorkflowState},
};

use crate::{
    bulk::{given_up, in_states, retry_discarded, wanted},
    world::{World, done, trouble},
};

pub(crate) fn step(name: &str, after: &[i16], jobs: usize) -> NewStep {
    NewStep {
        name: name.into(),
        after: after.into(),
        continues: false,
        tolerate: 0,
        spec: Spec {
            kind: "probe.work".into(),
            version: 2,
            queue: Queue::Default,
            priority: Priority::NORMAL,
            max_attempts: 3,
            concurrency_key: None,
            promise_s: None,
            tags: vec![name.into()],
            args: vec![json!({"work_ms": 0}); jobs],
        },
    }
}

impl World {
    pub(crate) async fn begin_workflow(&self, steps: Vec<NewStep>) -> WorkflowId {
        let id = WorkflowId::new();
        let new = NewWorkflow { id, name: "shoot".into(), metadata: None, traceparent: None, steps };
        let answer = Answer::of(202, None, &json!({}));
        let created = workflows::create(&self.api, self.tenant, &new, None, answer).await.unwrap();
        assert!(matches!(created, Created::New(_)));
        id
    }

    pub(crate) async fn workflow(&self, id: WorkflowId) -> (WorkflowState, Vec<Step>) {
        let (workflow, steps) = workflows::get(&self.api, self.tenant, id).await.unwrap().unwrap();
        (workflow.state().unwrap(), steps)
    }

    pub(crate) async fn states(&self, id: WorkflowId) -> String {
        let (state, steps) = self.workflow(id).await;
        let steps: Vec<String> = steps.iter().map(|step| format!("{}:{}", step.name, step.state)).collect();
        format!("{state} {}", steps.join(" "))
    }

    pub(crate) async fn advance(&self) {
        while stepping::advance(&self.worker).await.unwrap() > 0 {}
    }

    /// Claims everything, and ends each job as `verdict` says by the step it is tagged with.
    pub(crate) async fn run(&self, verdict: impl Fn(&str) -> Verdict) -> usize {
        let claimed = self.claim(256).await;
        let mut batch = Vec::new();
        for job in &claimed {
            let tag = self.job(job.id).await.tags.unwrap().remove(0);
            batch.push(Settle::of(job, verdict(&tag)));
        }
        settle::settle(
            &self.worker,
            &batch,
            &claimed.iter().map(|job| job.lease).take(1).collect::<Vec<_>>(),
        )
        .await
        .unwrap();
        self.advance().await;
        claimed.len()
    }
}

#[tokio::test]
async fn a_chain_goes_step_by_step() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 1), step("b", &[0], 2), step("c", &[1], 1)]).await;
    for (runs, states) in [
        (1, "running a:completed b:running c:waiting"),
        (2, "running a:completed b:completed c:running"),
        (1, "completed a:completed b:completed c:completed"),
    ] {
        assert_eq!(world.run(|_| done()).await, runs);
        assert_eq!(world.states(id).await, states);
    }
}

#[tokio::test]
async fn ten_thousand_jobs_join_once() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("many", &[], 10_000), step("join", &[0], 1)]).await;
    let mut ran = 0;
    while world.states(id).await.starts_with("running many:running") {
        let claimed = world.claim(256).await;
        ran += claimed.len();
        let batch: Vec<Settle> = claimed.iter().map(|job| Settle::of(job, done())).collect();
        // Two settle the same group; one of them is late.
        let both = [settle::settle(&world.worker, &batch, &[]), settle::settle(&world.worker, &batch, &[])];
        futures::future::try_join_all(both).await.unwrap();
        let both = [stepping::advance(&world.worker), stepping::advance(&world.worker)];
        futures::future::try_join_all(both).await.unwrap();
    }
    world.advance().await;
    assert_eq!(ran, 10_000);
    assert_eq!(
        world
            .run(|tag| {
                assert_eq!(tag, "join");
                done()
            })
            .await,
        1
    );
    assert_eq!(world.states(id).await, "completed many:completed join:completed");
}

#[tokio::test]
async fn a_workflow_that_nobody_here_can_move_holds_no_other_up() {
    let world = World::new().await;
    let chain = || vec![step("a", &[], 1), step("b", &[0], 1)];
    let stuck = world.begin_workflow(chain()).await;
    let stranger =
        "update workflow_step set spec = jsonb_set(spec, '{kind}', '\"no.such\"') where spec is not null";
    world.database.execute(stranger).await.unwrap();
    let others = [world.begin_workflow(chain()).await, world.begin_workflow(chain()).await];
    assert_eq!(world.run(|_| done()).await, 3);
    for other in others {
        assert_eq!(world.states(other).await, "running a:completed b:running");
    }
    assert_eq!(world.states(stuck).await, "running a:running b:waiting");
    let known =
        "update workflow_step set spec = jsonb_set(spec, '{kind}', '\"probe.work\"') where spec is not null";
    world.database.execute(known).await.unwrap();
    world.advance().await;
    assert_eq!(world.states(stuck).await, "running a:running b:waiting", "it is left alone for a while");
    world.database.execute("update workflow set not_before = now() - interval '1 s'").await.unwrap();
    world.advance().await;
    assert_eq!(world.states(stuck).await, "running a:completed b:running");
}

#[tokio::test]
async fn failures_stop_are_tolerated_or_passed_over() {
    let world = World::new().await;
    let fail = |bad: &'static str| move |tag: &str| if tag == bad { given_up() } else { done() };
    let chain = || vec![step("a", &[], 3), step("b", &[0], 1), step("c", &[1], 1)];

    let id = world.begin_workflow(chain()).await;
    world.run(fail("a")).await;
    assert_eq!(world.states(id).await, "failed a:failed b:skipped c:skipped");

    let mut steps = chain();
    steps[0].tolerate = 3;
    let id = world.begin_workflow(steps).await;
    for _ in 0..3 {
        world.run(fail("a")).await;
    }
    assert_eq!(world.states(id).await, "completed a:completed b:completed c:completed");

    let mut steps = chain();
    steps[1].continues = true;
    let id = world.begin_workflow(steps).await;
    for _ in 0..3 {
        world.run(fail("b")).await;
    }
    assert_eq!(world.states(id).await, "completed a:completed b:failed c:completed");
}

#[tokio::test]
async fn a_step_gets_what_those_before_it_left() {
    let world = World::new().await;
    let mut join = step("join", &[0, 1], 1);
    join.spec.args = vec![json!({
        "echo": {"$result_of": "single", "pointer": "/by"},
        "endings": {"$results_of": "many", "pointer": "/next"},
    })];
    world.begin_workflow(vec![step("many", &[], 2), step("single", &[], 1), join]).await;
    let left = |tag: &str| Verdict::Completed { result: json!({"by": tag, "next": "retry"}).into() };
    world.run(left).await;
    let job = world.claim_one().await;
    let args = job.args.inline().unwrap();
    assert_eq!((&args["echo"], &args["endings"]), (&json!("single"), &json!(["retry", "retry"])));

    let mut bad = step("bad", &[0], 1);
    bad.spec.args = vec![json!({"work_ms": {"$result_of": "first"}})];
    let id = world.begin_workflow(vec![step("first", &[], 1), bad, step("last", &[1], 1)]).await;
    world.run(left).await;
    assert_eq!(world.states(id).await, "failed first:completed bad:failed last:skipped");
    let (_, steps) = world.workflow(id).await;
    assert_eq!(steps[1].error.as_ref().unwrap().0["code"], Value::from("invalid_args"));
}

#[tokio::test]
async fn a_cancelled_workflow_ends_once_its_running_jobs_have() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 5), step("b", &[0], 1)]).await;
    let held = world.claim(2).await;
    assert!(workflows::request_cancel(&world.api, world.tenant, id).await.unwrap());
    world.advance().await;
    assert_eq!(world.states(id).await, "running a:running b:cancelled");
    assert!(world.claim(9).await.is_empty(), "what waited is gone");
    assert!(world.job(held[0].id).await.cancel_requested_at.is_some());
    for job in &held {
        let verdict = Verdict::Cancelled { problem: trouble() };
        settle::settle(&world.worker, &[Settle::of(job, verdict)], &[]).await.unwrap();
    }
    world.advance().await;
    assert_eq!(world.states(id).await, "cancelled a:failed b:cancelled");
    assert!(!workflows::request_cancel(&world.api, world.tenant, id).await.unwrap());
}

#[tokio::test]
async fn a_job_may_be_retried_until_its_step_is_over() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 2), step("b", &[0], 1)]).await;
    let held = world.claim(2).await;
    settle::settle(&world.worker, &[Settle::of(&held[0], given_up())], &[]).await.unwrap();
    let again = retry::retry(&world.api, world.tenant, held[0].id).await.unwrap();
    assert_eq!(again, Retried::Available);
    settle::settle(&world.worker, &[Settle::of(&held[1], given_up())], &[]).await.unwrap();
    world.run(|_| done()).await;
    assert_eq!(world.states(id).await, "failed a:failed b:skipped");
    let too_late = retry::retry(&world.api, world.tenant, held[1].id).await.unwrap();
    assert_eq!(too_late, Retried::StepOver);
    assert_eq!(world.state(held[1].id).await, State::Discarded);
}

#[tokio::test]
async fn a_failed_workflow_goes_on_where_it_left_off() {
    let world = World::new().await;
    let mut passed_over = step("passed_over", &[], 1);
    passed_over.continues = true;
    let steps =
        vec![step("good", &[], 1), passed_over, step("bad", &[0], 3), step("c", &[2], 1), step("d", &[3], 1)];
    let id = world.begin_workflow(steps).await;
    world.run(|tag| if tag == "good" { done() } else { given_up() }).await;
    let held = world.claim(3).await;
    let verdicts = [done(), given_up(), given_up()];
    let batch: Vec<_> = held.iter().zip(verdicts).map(|(job, verdict)| Settle::of(job, verdict)).collect();
    settle::settle(&world.worker, &batch, &[]).await.unwrap();
    world.advance().await;
    assert_eq!(
        world.states(id).await,
        "failed good:completed passed_over:failed bad:failed c:skipped d:skipped"
    );

    for _ in 0..2 {
        let retried = workflow_retry::retry(&world.api, world.tenant, id).await.unwrap();
        assert_eq!(retried, WorkflowRetried::Running);
    }
    assert_eq!(
        world.states(id).await,
        "running good:completed passed_over:failed bad:running c:waiting d:waiting"
    );
    assert_eq!(world.run(|_| done()).await, 2, "what completed ran again");
    assert_eq!(world.run(|tag| if tag == "c" { done() } else { given_up() }).await, 1);
    assert_eq!(world.run(|_| done()).await, 1);
    let completed = "completed good:completed passed_over:failed bad:completed c:completed d:completed";
    assert_eq!(world.states(id).await, completed);
    let retried = workflow_retry::retry(&world.api, world.tenant, id).await.unwrap();
    assert_eq!(retried, WorkflowRetried::Completed);
    let nobodys = workflow_retry::retry(&world.api, world.tenant, WorkflowId::new()).await.unwrap();
    assert_eq!(nobodys, WorkflowRetried::NotFound);
}

#[tokio::test]
async fn a_cancelled_workflow_goes_on_where_it_left_off() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 5), step("b", &[0], 1)]).await;
    let held = world.claim(2).await;
    workflows::request_cancel(&world.api, world.tenant, id).await.unwrap();
    world.advance().await;
    let batch: Vec<_> = held.iter().map(|job| Settle::of(job, done())).collect();
    settle::settle(&world.worker, &batch, &[]).await.unwrap();
    world.advance().await;
    assert_eq!(world.states(id).await, "cancelled a:failed b:cancelled");
    workflow_retry::retry(&world.api, world.tenant, id).await.unwrap();
    assert_eq!(world.run(|_| done()).await, 3, "those that were stopped begin again");
    assert_eq!(world.run(|_| done()).await, 1);
    assert_eq!(world.states(id).await, "completed a:completed b:completed");
}

#[tokio::test]
async fn jobs_of_a_step_that_is_not_over_may_all_be_retried() {
    let world = World::new().await;
    let over = world.begin_workflow(vec![step("x", &[], 3)]).await;
    world.run(|_| given_up()).await;
    world.advance().await;
    let open = world.begin_workflow(vec![step("a", &[], 5), step("b", &[0], 1)]).await;
    let held = world.claim(5).await;
    let batch: Vec<_> = held[..4].iter().map(|job| Settle::of(job, given_up())).collect();
    settle::settle(&world.worker, &batch, &[]).await.unwrap();
    assert_eq!(world.apply(&retry_discarded()).await, [7, 4, 3, 0], "those of the step that is over stay");
    assert_eq!(world.workflow(open).await.1[0].discarded, 0);
    settle::settle(&world.worker, &[Settle::of(&held[4], done())], &[]).await.unwrap();
    assert_eq!(world.run(|_| done()).await, 4);
    assert_eq!(world.run(|_| done()).await, 1);
    assert_eq!(world.states(open).await, "completed a:completed b:completed");
    assert_eq!(world.states(over).await, "failed x:failed");
}

#[tokio::test]
async fn a_step_whose_jobs_are_given_up_by_hand_is_over() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 150)]).await;
    let waiting = in_states(&[State::Available]);
    assert_eq!(world.apply(&wanted(Action::Discard, waiting)).await, [150, 150, 0, 0]);
    world.advance().await;
    assert_eq!(world.states(id).await, "failed a:failed");
}

#[tokio::test]
async fn the_jobs_of_steps_are_found_live_or_ended() {
    let world = World::new().await;
    let id = world.begin_workflow(vec![step("a", &[], 3), step("b", &[0], 1)]).await;
    let of = async |tenant, most| relatives::of_steps(&world.api, tenant, id, &[0, 1], most).await.unwrap();
    assert_eq!(of(world.tenant, 10).await.len(), 3, "those of b are not made yet");
    let first = world.claim_one().await;
    assert!(world.settle(&first, done()).await);
    let found = of(world.tenant, 10).await;
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.contains(&(0, first.id)), "one of them has ended");
    assert_eq!(of(world.tenant, 2).await.len(), 2);
    let other = world.tenant("other").await;
    assert!(of(other, 10).await.is_empty());
}
