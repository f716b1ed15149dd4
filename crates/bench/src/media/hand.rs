//! Somebody at work: a process that takes a request a line and answers each with a line.

use std::{
    cell::RefCell,
    collections::VecDeque,
    fs::File,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout},
    time::timeout,
};

use crate::cpu;

/// Longest that anybody may take for one answer.
const ANSWER_MAX: Duration = Duration::from_mins(2);
/// What is said of a request before its answer.
const NOT_YET: [&str; 3] = ["progress", "ready", "playable"];

/// A process at work. Ends with the value.
pub(crate) struct Hand {
    name: String,
    child: Child,
    requests: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Hand {
    /// Starts `command`; what it complains of goes to a log of its own.
    pub(crate) fn start(command: Command, name: &str, logs: &Path) -> anyhow::Result<Self> {
        let log = logs.join(format!("{}.log", name.replace([' ', '/'], "-")));
        let words = File::create(&log).with_context(|| format!("could not write {}", log.display()))?;
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(words)
            // Who interrupts a run means us, who then end it.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        let requests = child.stdin.take().context("a process without an ear")?;
        let answers = BufReader::new(child.stdout.take().context("a process without a mouth")?).lines();
        Ok(Self { name: name.to_owned(), child, requests, answers })
    }

    /// Asks, and waits for the answer.
    pub(crate) async fn ask(&mut self, request: &Value) -> anyhow::Result<Value> {
        self.send(request).await?;
        self.hear().await
    }

    /// The same; how long it took, in milliseconds.
    pub(crate) async fn timed(&mut self, request: &Value) -> anyhow::Result<f64> {
        let begun = Instant::now();
        self.ask(request).await?;
        Ok(begun.elapsed().as_secs_f64() * 1e3)
    }

    /// Takes from `requests` until none is left, so many at once.
    pub(crate) async fn work_through(
        &mut self,
        requests: &RefCell<VecDeque<Value>>,
        at_once: usize,
    ) -> anyhow::Result<()> {
        let mut open = 0;
        loop {
            while open < at_once {
                let Some(request) = requests.borrow_mut().pop_front() else { break };
                self.send(&request).await?;
                open += 1;
            }
            if open == 0 {
                return Ok(());
            }
            self.hear().await?;
            open -= 1;
        }
    }

    /// Its process id.
    pub(crate) fn id(&self) -> anyhow::Result<u32> {
        self.child.id().with_context(|| format!("{} has ended", self.name))
    }

    /// What it has used of the processors, in milliseconds.
    pub(crate) fn cpu_ms(&self) -> anyhow::Result<f64> {
        Ok(cpu::of_process(self.id()?) / 1e3)
    }

    async fn send(&mut self, request: &Value) -> anyhow::Result<()> {
        let line = format!("{request}\n");
        self.requests.write_all(line.as_bytes()).await.with_context(|| format!("could not ask {}", self.name))
    }

    async fn hear(&mut self) -> anyhow::Result<Value> {
        loop {
            let line = timeout(ANSWER_MAX, self.answers.next_line())
                .await
                .with_context(|| format!("{} has not answered for {} s", self.name, ANSWER_MAX.as_secs()))??
                .with_context(|| format!("{} ended instead of answering", self.name))?;
            let answer: Value =
                serde_json::from_str(&line).with_context(|| format!("{} said: {line}", self.name))?;
            anyhow::ensure!(answer.get("failed").is_none(), "{} said: {line}", self.name);
            if NOT_YET.iter().all(|word| answer.get(word).is_none()) {
                return Ok(answer);
            }
        }
    }
}
