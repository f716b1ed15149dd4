//! Records that no sound ledger could have written are refused, with the line and the reason.

use model::{Rejected, Replayed, replay};
use serde_json::{Value, json};

fn line(at_s: u32, job: &str, event: &str, more: &Value) -> String {
    let mut line = json!({"at": format!("2026-01-01T00:00:{at_s:02}Z"), "job": job, "event": event});
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    line.to_string()
}

fn run(worker: &str, lease: u32, fence: u32, attempt: u32) -> Value {
    json!({"lease": format!("{worker}@{lease}"), "worker": worker, "fence": fence, "attempt": attempt})
}

fn ended(outcome: &str, mut run: Value) -> Value {
    run["outcome"] = json!(outcome);
    run
}

/// `a` fails once and completes, `b` is lost with `w1`, completes with `w2` and begins again, `c` is cancelled.
fn honest() -> Vec<String> {
    let asked = json!({"max_attempts": 3});
    vec![
        line(0, "a", "enqueued", &asked),
        line(0, "b", "enqueued", &asked),
        line(1, "a", "claimed", &run("w1", 1, 0, 1)),
        line(1, "b", "claimed", &run("w1", 1, 0, 1)),
        line(2, "a", "settled", &ended("retried", run("w1", 1, 0, 1))),
        line(3, "b", "rescued", &ended("crashed", run("w1", 1, 0, 1))),
        line(4, "a", "claimed", &run("w2", 4, 1, 2)),
        line(4, "b", "claimed", &run("w2", 4, 1, 2)),
        line(5, "a", "settled", &ended("completed", run("w2", 4, 1, 2))),
        line(6, "b", "settled", &ended("completed", run("w2", 4, 1, 2))),
        line(6, "b", "revived", &json!({"fence": 2, "attempt": 2, "max_attempts": 3})),
        line(7, "c", "enqueued", &asked),
        line(8, "c", "removed", &ended("cancelled", json!({"fence": 0, "attempt": 0}))),
    ]
}

fn refused(trace: &[String]) -> (usize, String) {
    let Rejected { line, why } = replay(&trace.join("\n")).unwrap_err();
    (line, why)
}

fn with(at: usize, line: String) -> Vec<String> {
    let mut trace = honest();
    trace.insert(at - 1, line);
    trace
}

fn instead(at: usize, line: String) -> Vec<String> {
    let mut trace = honest();
    trace[at - 1] = line;
    trace
}

#[test]
fn an_honest_record_is_accepted() {
    let told = replay(&honest().join("\n")).unwrap();
    let right = Replayed { jobs: 3, claimed: 4, settled: 3, rescued: 1, removed: 1, revived: 1, live: 1 };
    assert_eq!(told, right);
    assert_eq!(replay("").unwrap(), Replayed::default());
}

#[test]
fn a_result_accepted_twice() {
    let again = line(5, "a", "settled", &ended("completed", run("w2", 4, 1, 2)));
    assert_eq!(refused(&with(10, again)), (10, "it had ended before".to_owned()));
}

#[test]
fn an_attempt_skipped() {
    let skips = line(4, "a", "claimed", &run("w2", 4, 1, 3));
    assert_eq!(refused(&instead(7, skips)), (7, "attempt 3 where the rules say 2".to_owned()));
}

#[test]
fn a_verdict_under_an_old_fence() {
    let old = line(5, "a", "settled", &ended("completed", run("w1", 1, 0, 1)));
    let mut trace = honest();
    // Without the rescue the lease of the old run would stand.
    trace.remove(5);
    trace.retain(|line| !line.contains("\"b\""));
    trace.insert(4, old);
    assert_eq!(refused(&trace), (5, "fence 0 where the rules say 1".to_owned()));
}

#[test]
fn a_verdict_under_a_lease_that_was_taken_back() {
    let asked = json!({"max_attempts": 3});
    let trace = [
        line(0, "a", "enqueued", &asked),
        line(0, "b", "enqueued", &asked),
        line(1, "a", "claimed", &run("w1", 1, 0, 1)),
        line(1, "b", "claimed", &run("w1", 1, 0, 1)),
        line(2, "a", "rescued", &ended("crashed", run("w1", 1, 0, 1))),
        line(3, "b", "settled", &ended("completed", run("w1", 1, 0, 1))),
    ];
    assert_eq!(refused(&trace), (6, "settled under w1@1, which does not stand".to_owned()));
}

#[test]
fn two_leases_for_one_run() {
    let second = line(4, "a", "claimed", &run("w3", 4, 1, 2));
    assert_eq!(refused(&with(8, second)), (8, "claimed while w2@4 names it".to_owned()));
}

#[test]
fn a_fence_claimed_again() {
    let again = line(4, "b", "claimed", &run("w2", 4, 0, 2));
    assert_eq!(refused(&instead(8, again)), (8, "fence 0 where the rules say 1".to_owned()));
}

#[test]
fn a_rescue_that_gives_up_too_early() {
    let early = line(3, "b", "rescued", &ended("discarded", run("w1", 1, 0, 1)));
    let why = "rescued as Discarded where the rules say Crashed".to_owned();
    assert_eq!(refused(&instead(6, early)), (6, why));
}

#[test]
fn a_job_retried_without_attempts() {
    let trace = [
        line(0, "a", "enqueued", &json!({"max_attempts": 1})),
        line(1, "a", "claimed", &run("w1", 1, 0, 1)),
        line(2, "a", "settled", &ended("retried", run("w1", 1, 0, 1))),
    ];
    assert_eq!(refused(&trace), (3, "retried after attempt 1 of 1".to_owned()));
}

#[test]
fn a_job_that_runs_removed_as_if_it_waited() {
    let removed = line(1, "a", "removed", &ended("cancelled", json!({"fence": 0, "attempt": 0})));
    let why = "removed as if it waited while w1@1 names it".to_owned();
    assert_eq!(refused(&with(5, removed)), (5, why));
}

#[test]
fn a_job_that_comes_from_nowhere_or_out_of_the_past_or_in_no_words() {
    let nowhere = line(4, "z", "claimed", &run("w2", 4, 0, 1));
    assert_eq!(refused(&with(8, nowhere)), (8, "z was never enqueued".to_owned()));
    let past = line(1, "z", "enqueued", &json!({"max_attempts": 1}));
    assert_eq!(refused(&with(8, past)), (8, "is earlier than the line before it".to_owned()));
    let twice = line(4, "a", "enqueued", &json!({"max_attempts": 3}));
    assert_eq!(refused(&with(8, twice)), (8, "a is enqueued a second time".to_owned()));
    let (at, why) = refused(&with(3, "{}".to_owned()));
    assert!(at == 3 && why.starts_with("cannot be read"), "{why}");
}
