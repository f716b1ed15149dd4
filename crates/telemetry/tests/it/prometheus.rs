use metrics::{counter, gauge, histogram};
use telemetry::{TelemetryError, metrics as names};

// The one test that installs a recorder for this process.
#[test]
fn prometheus_reads_every_family() {
    let handle = names::install_prometheus().unwrap();
    assert!(matches!(names::install_prometheus(), Err(TelemetryError::Prometheus { .. })));

    counter!(names::JOBS_ENQUEUED_TOTAL, names::LABEL_KIND => "a.b", names::LABEL_QUEUE => "media")
        .increment(3);
    counter!(names::JOB_ATTEMPTS_TOTAL, names::LABEL_KIND => "a.b", names::LABEL_OUTCOME => "completed")
        .increment(1);
    histogram!(names::JOB_DURATION_SECONDS, names::LABEL_KIND => "a.b").record(0.03);
    histogram!(names::JOB_WAIT_SECONDS, names::LABEL_KIND => "a.b").record(0.0004);
    histogram!(names::JOB_WAIT_SECONDS, names::LABEL_KIND => "a.b").record(3_599.0);
    histogram!(names::JOB_WAIT_SECONDS, names::LABEL_KIND => "a.b").record(7_200.0);
    gauge!(names::JOBS, names::LABEL_STATE => "available", names::LABEL_QUEUE => "media").set(7.0);
    gauge!(names::QUEUE_OLDEST_SECONDS, names::LABEL_QUEUE => "media").set(1.5);
    gauge!(names::TICKETS_WAITING, names::LABEL_QUEUE => "media").set(2.0);
    counter!(names::HTTP_REQUESTS_TOTAL, "route" => "/v1/jobs", "method" => "POST", "status" => "202")
        .increment(1);
    histogram!(names::HTTP_REQUEST_DURATION_SECONDS, "route" => "/v1/jobs", "method" => "POST").record(0.004);
    gauge!(names::WORKER_SLOTS, names::LABEL_QUEUE => "media", names::LABEL_STATE => "busy").set(1.0);

    handle.run_upkeep();
    let text = handle.render();
    for line in [
        "# TYPE jobs_enqueued_total counter",
        "# HELP jobs_enqueued_total Jobs taken in.",
        r#"jobs_enqueued_total{kind="a.b",queue="media"} 3"#,
        r#"job_attempts_total{kind="a.b",outcome="completed"} 1"#,
        "# TYPE job_duration_seconds histogram",
        r#"job_duration_seconds_bucket{kind="a.b",le="0.02"} 0"#,
        r#"job_duration_seconds_bucket{kind="a.b",le="0.05"} 1"#,
        r#"job_wait_seconds_bucket{kind="a.b",le="0.001"} 1"#,
        r#"job_wait_seconds_bucket{kind="a.b",le="1800"} 1"#,
        r#"job_wait_seconds_bucket{kind="a.b",le="3600"} 2"#,
        r#"job_wait_seconds_bucket{kind="a.b",le="+Inf"} 3"#,
        r#"job_wait_seconds_count{kind="a.b"} 3"#,
        "# TYPE jobs gauge",
        r#"jobs{state="available",queue="media"} 7"#,
        r#"queue_oldest_seconds{queue="media"} 1.5"#,
        r#"tickets_waiting{queue="media"} 2"#,
        r#"http_requests_total{route="/v1/jobs",method="POST",status="202"} 1"#,
        r#"http_request_duration_seconds_bucket{route="/v1/jobs",method="POST",le="0.005"} 1"#,
        r#"http_request_duration_seconds_bucket{route="/v1/jobs",method="POST",le="60"} 1"#,
        r#"worker_slots{queue="media",state="busy"} 1"#,
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(!text.contains("quantile"), "{text}");
    assert!(
        !text.contains(r#"http_request_duration_seconds_bucket{route="/v1/jobs",method="POST",le="3600"}"#)
    );
}
