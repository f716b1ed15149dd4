//! `crewline call`: what has no command of its own.

use clap::Args;
use client::{Client, Method};
use serde_json::Value;

use super::{submit::read_args, usage};
use crate::output::Output;

/// `crewline call`.
#[derive(Debug, Args)]
pub(crate) struct CallArgs {
    /// GET, POST, PUT, PATCH or DELETE
    #[arg(value_parser = method)]
    method: Method,
    /// The path, such as /v1/promises
    path: String,
    /// The body as JSON; @FILE reads it from a file, - from the standard input
    #[arg(long, value_name = "JSON")]
    body: Option<String>,
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let found = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "GET, POST, PUT, PATCH or DELETE".to_owned())
}

pub(crate) async fn run(client: &Client, args: &CallArgs, output: Output) -> anyhow::Result<()> {
    if !args.path.starts_with('/') {
        return Err(usage("the path begins with a slash, such as /v1/promises"));
    }
    let body = args.body.as_deref().map(|body| read_args(Some(body))).transpose()?.map(Value::Object);
    output.one(&client.ask(args.method.clone(), &args.path, body.as_ref()).await?)
}
