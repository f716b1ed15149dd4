//! A workflow while its workers die.

use jobs::{Priority, Queue, WorkflowId};
use serde_json::json;
use store::{
    submit::Answer,
    workflows::{self, NewStep, NewWorkflow, Spec, WorkflowState},
};
use testkit::eventually;

use crate::world::{SOON, World};

fn step(name: &str, after: &[i16], jobs: usize) -> NewStep {
    NewStep {
        name: name.into(),
        after: after.into(),
        continues: false,
        // A job that was there three times when a worker was killed is given up.
        tolerate: jobs as u32,
        spec: Spec {
            kind: "probe.work".into(),
            version: 2,
            queue: Queue::Default,
            priority: Priority::NORMAL,
            max_attempts: 20,
            concurrency_key: None,
            promise_s: None,
            tags: vec![name.into()],
            args: vec![json!({"work_ms": 20}); jobs],
        },
    }
}

#[tokio::test]
async fn a_join_runs_once_whatever_dies() {
    let world = World::new().await;
    let id = WorkflowId::new();
    let steps = vec![step("many", &[], 600), step("middle", &[0], 3), step("join", &[1], 1)];
    let new = NewWorkflow { id, name: "shoot".into(), metadata: None, traceparent: None, steps };
    let answer = Answer::of(202, None, &json!({}));
    workflows::create(&world.api, world.tenant, &new, None, answer).await.unwrap();
    let over = async || {
        let (workflow, _) = workflows::get(&world.api, world.tenant, id).await.unwrap().unwrap();
        (workflow.state().unwrap() != WorkflowState::Running).then_some(workflow)
    };
    let ended = async || {
        let ended = world
            .database
            .number("select count(*) from attempt where final_state is not null")
            .await
            .unwrap();
        usize::try_from(ended).unwrap()
    };
    let slots = ["--queues", "default", "--concurrency", "default=32"];
    let mut worker = world.start(&slots);
    let _other = world.start(&slots);
    // Killed again and again, each time after some more jobs have ended.
    for kills in 1..=4 {
        eventually("some more jobs to end", SOON, || async { (ended().await >= kills * 120).then_some(()) })
            .await;
        worker.kill();
        worker = world.start(&slots);
    }
    let workflow = eventually("the workflow to end", SOON * 2, over).await;
    assert_eq!(workflow.state().unwrap(), WorkflowState::Completed);
    assert_eq!(workflow.completed + workflow.discarded + workflow.cancelled, 604);
    let of_step = |step: i16| {
        format!("select count(distinct job_id) from attempt where step = {step} and final_state is not null")
    };
    for (step, jobs) in [(0, 600), (1, 3), (2, 1)] {
        assert_eq!(world.database.number(&of_step(step)).await.unwrap(), jobs, "step {step}");
    }
    let twice = "select count(*) from (select from attempt where final_state is not null group by job_id having count(*) > 1) t";
    assert_eq!(world.database.number(twice).await.unwrap(), 0);
}
