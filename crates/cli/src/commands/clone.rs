//! `crewline clone`.

use std::io::{self, Write};

use chrono::{DateTime, Utc};
use clap::Args;
use client::{Client, types};
use serde_json::{Map, Value, json};
use similar::{ChangeTag, TextDiff};

use super::{
    submit::{WaitArgs, pair, read_args},
    usage,
};
use crate::{
    ending::Ending,
    output::{Output, line, plain},
};

/// `crewline clone`.
#[derive(Debug, Args)]
pub(crate) struct CloneArgs {
    /// The job
    job: String,
    /// What changes in the arguments, as a JSON merge patch: null takes a member away; @FILE reads it from a file, - from the
    /// standard input
    #[arg(long, value_name = "JSON")]
    args: Option<String>,
    /// One argument that changes, by its name or its JSON pointer; its value is taken as JSON if it is some, else as text, and null takes
    /// it away
    #[arg(long = "set", value_name = "PATH=VALUE", value_parser = pair)]
    set: Vec<(String, Value)>,
    /// Another queue than the job's
    #[arg(long)]
    queue: Option<String>,
    /// Another priority than the job's: 1 before 4
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=4))]
    priority: Option<i64>,
    /// Not before, such as 2027-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
    /// The Idempotency-Key, so that the same call never makes two jobs; a fresh one unless given
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only show what would change
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

pub(crate) async fn run(client: &Client, clone: CloneArgs, output: Output) -> anyhow::Result<Ending> {
    let before = client.get_args(&clone.job).await?;
    let mut patch = Value::Object(read_args(clone.args.as_deref())?);
    for (path, value) in &clone.set {
        set(&before, &mut patch, path, value.clone())?;
    }
    let mut after = before.clone();
    json_patch::merge(&mut after, &patch);
    let changed = changes(&format!("{before:#}"), &format!("{after:#}"));
    if clone.dry_run {
        if output.json {
            output.one(&json!({ "before": before, "after": after }))?;
        } else {
            changed.iter().try_for_each(|changed| line(changed))?;
        }
        return Ok(Ending::Done);
    }
    if !output.json {
        // The standard output has the new job, for scripts.
        changed.iter().try_for_each(|changed| writeln!(io::stderr().lock(), "{changed}"))?;
    }
    let asking = clone.key.map_or_else(|| client.clone(), |key| client.keyed(key));
    let other = types::JobClone {
        args: Some(patch),
        queue: clone.queue,
        priority: clone.priority,
        scheduled_at: clone.at,
    };
    let job = asking.clone_job(&clone.job, &other).await?;
    clone.wait.told(client, &job, output).await
}

/// Puts a change of one argument into the `whole` of a patch.
fn set(args: &Value, whole: &mut Value, path: &str, value: Value) -> anyhow::Result<()> {
    let names: Vec<String> = match path.strip_prefix('/') {
        Some(pointer) => pointer.split('/').map(|name| name.replace("~1", "/").replace("~0", "~")).collect(),
        None => vec![path.to_owned()],
    };
    let mut here = Some(args);
    for name in &names {
        if here.is_some_and(Value::is_array) {
            return Err(usage(format!("{path} is within a list, which is set as a whole")));
        }
        here = here.and_then(|here| here.get(name));
    }
    let mut place = whole;
    for name in names {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[name];
    }
    *place = in_place_of(here, value);
    Ok(())
}

/// The patch that makes `value` of what `stands`: a merge patch by itself leaves what it does not name.
fn in_place_of(stands: Option<&Value>, value: Value) -> Value {
    let (Some(Value::Object(stands)), Value::Object(mut value)) = (stands, value.clone()) else {
        return value;
    };
    for (name, stands) in stands {
        let named = value.remove(name).map_or(Value::Null, |named| in_place_of(Some(stands), named));
        value.insert(name.clone(), named);
    }
    Value::Object(value)
}

/// Two texts, line by line.
fn changes(before: &str, after: &str) -> Vec<String> {
    if before == after {
        return vec!["Nothing is changed.".to_owned()];
    }
    let diff = TextDiff::from_lines(before, after);
    let lines = diff.iter_all_changes().map(|change| {
        let sign = match change.tag() {
            ChangeTag::Insert => '+',
            ChangeTag::Delete => '-',
            ChangeTag::Equal => ' ',
        };
        plain(&format!("{sign} {}", change.value().trim_end_matches('\n')))
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_set_by_name_and_by_pointer() {
        let args = json!({"echo": "a", "to": {"zip": "01", "city": "x"}, "rungs": ["s"], "whom": {"id": 1, "name": "b"}});
        let mut patch = json!({});
        for (path, value) in [
            ("echo", json!("b")),
            ("/to/zip", json!("02")),
            ("/to/city", json!(null)),
            ("/a~1b/c", json!(1)),
            ("whom", json!({"name": "c"})),
        ] {
            set(&args, &mut patch, path, value).unwrap();
        }
        assert!(set(&args, &mut patch, "/rungs/0", json!("m")).is_err());
        let mut after = args.clone();
        json_patch::merge(&mut after, &patch);
        assert_eq!(
            after,
            json!({"echo": "b", "to": {"zip": "02"}, "rungs": ["s"], "a/b": {"c": 1}, "whom": {"name": "c"}})
        );
    }

    #[test]
    fn what_changes_is_told_line_by_line() {
        assert_eq!(
            changes("{\n  \"a\": 1\n}", "{\n  \"a\": 2\n}"),
            ["  {", "-   \"a\": 1", "+   \"a\": 2", "  }"]
        );
        assert_eq!(changes("{}", "{}").len(), 1);
    }
}
