//! `crewline profile`.

use std::io::{self, BufRead, IsTerminal};

use anyhow::Context;
use clap::Subcommand;
use console::Term;
use secrecy::SecretString;
use serde_json::json;

use super::usage;
use crate::{
    config::PlaceArgs,
    ending::Ending,
    output::Output,
    profiles::{self, Profile},
};

/// `crewline profile`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Note an API and a key, which is asked for, or read from the first line of the standard input; --url says where it is
    Set {
        /// What to call it; `default` is used when nothing is said
        name: String,
    },
    /// What is noted, without the keys
    List,
    /// Forget one
    Remove {
        /// Which
        name: String,
    },
}

pub(crate) fn run(command: &ProfileCommand, place: &PlaceArgs, output: Output) -> anyhow::Result<Ending> {
    let path = profiles::path(place.config.as_deref())?;
    let mut all = profiles::read(&path)?;
    match command {
        ProfileCommand::Set { name } => {
            let url =
                place.url.clone().ok_or_else(|| usage("where is it? --url https://jobs.example.com"))?;
            let key = match &place.api_key {
                // A script hands one over that it means.
                Some(key) if io::stdin().is_terminal() => key.clone(),
                _ => asked(&url)?,
            };
            all.insert(name.clone(), Profile { url, api_key: Some(key) });
            profiles::write(&path, &all)?;
            output
                .said(&format!("{name} is in {}.", path.display()), &json!({ "name": name, "file": path }))?;
        }
        ProfileCommand::List => {
            let rows: Vec<_> = all
                .iter()
                .map(|(name, profile)| {
                    json!({ "name": name, "url": profile.url, "has_key": profile.api_key.is_some() })
                })
                .collect();
            output.many(&["name", "url", "has_key"], &rows)?;
        }
        ProfileCommand::Remove { name } => {
            all.remove(name).ok_or_else(|| usage(format!("there is no profile {name}")))?;
            profiles::write(&path, &all)?;
            output.said("Forgotten.", &json!({ "name": name }))?;
        }
    }
    Ok(Ending::Done)
}

/// The key, as somebody types it unseen or a script hands it over.
fn asked(url: &str) -> anyhow::Result<SecretString> {
    let mut line = String::new();
    if io::stdin().is_terminal() {
        let terminal = Term::stderr();
        terminal.write_str(&format!("Key for {url}: ")).context("could not ask for the key")?;
        line = terminal.read_secure_line().context("could not read the key")?;
    } else {
        io::stdin().lock().read_line(&mut line).context("could not read the key")?;
    }
    let key = line.trim();
    if key.is_empty() {
        return Err(usage("the key comes on the standard input, and nothing came"));
    }
    Ok(SecretString::from(key))
}
