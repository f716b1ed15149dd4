//! SQL by way of one long-lived `psql`, so that looking costs a measured server next to nothing.

use std::process::Stdio;

use anyhow::Context;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Mutex,
};

/// What stands after the rows of a statement.
const END: &str = "~end of rows~";

struct Pipe {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

/// A session on one database. Ends with the value.
pub(crate) struct Sql {
    pipe: Mutex<Pipe>,
}

impl Sql {
    /// Connects to `url`.
    pub(crate) fn connect(url: &str) -> anyhow::Result<Self> {
        let mut child = Command::new("psql")
            .args(["-qAtX", "-v", "ON_ERROR_STOP=1", url])
            .env("PGOPTIONS", "-c client_min_messages=warning")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("could not start psql")?;
        let input = child.stdin.take().context("psql has no input")?;
        let output = child.stdout.take().context("psql has no output")?;
        Ok(Self { pipe: Mutex::new(Pipe { _child: child, input, output: BufReader::new(output).lines() }) })
    }

    /// The rows of `statement`, fields apart by `|`.
    pub(crate) async fn rows(&self, statement: &str) -> anyhow::Result<Vec<String>> {
        let mut pipe = self.pipe.lock().await;
        pipe.input.write_all(format!("{statement};\nselect '{END}';\n").as_bytes()).await?;
        let mut rows = Vec::new();
        while let Some(row) = pipe.output.next_line().await? {
            if row == END {
                return Ok(rows);
            }
            rows.push(row);
        }
        anyhow::bail!("psql gave up on: {statement}")
    }

    /// Runs something that answers nothing.
    pub(crate) async fn run(&self, statement: &str) -> anyhow::Result<()> {
        self.rows(statement).await.map(drop)
    }

    /// The numbers of the first row.
    pub(crate) async fn numbers(&self, statement: &str) -> anyhow::Result<Vec<f64>> {
        let rows = self.rows(statement).await?;
        let first = rows.first().with_context(|| format!("no row from: {statement}"))?;
        let read = |field: &str| {
            if field.is_empty() { Ok(0.0) } else { field.parse() }
        };
        first.split('|').map(read).collect::<Result<_, _>>().with_context(|| format!("no numbers: {first}"))
    }

    /// The one number of the first row.
    pub(crate) async fn number(&self, statement: &str) -> anyhow::Result<f64> {
        self.numbers(statement).await?.first().copied().context("an empty row")
    }

    /// The one text of the first row.
    pub(crate) async fn text(&self, statement: &str) -> anyhow::Result<String> {
        self.rows(statement).await?.into_iter().next().with_context(|| format!("no row from: {statement}"))
    }
}
