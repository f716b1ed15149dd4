//! `crewline audit`: what was done, and whether nobody changed what is written of it.

use std::pin::Pin;

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use client::{Client, ListAuditQuery, ListInstallationAuditQuery, types::AuditEntry};
use futures::{Stream, StreamExt, TryStreamExt};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{ending::Ending, output::Output};

/// Entries of a page while all of them are read.
const PAGE: i64 = 200;

/// `crewline audit`.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List what was done, newest first
    List(ListArgs),
    /// Follow the hashes from the last entry to the first; ends with 1 when an entry was changed, removed or put in between
    Verify {
        /// The log of the installation instead of the tenant's. Takes a key that runs it
        #[arg(long)]
        installation: bool,
    },
}

/// `crewline audit list`.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only this, such as job.retry or pause
    #[arg(long)]
    action: Option<String>,
    /// Only what was done to this: an id or a name
    #[arg(long)]
    target: Option<String>,
    /// Only what was done by this API key's id, or by somebody with this address
    #[arg(long)]
    by: Option<String>,
    /// Not before this, such as 2026-11-30T08:00:00Z
    #[arg(long)]
    since: Option<DateTime<Utc>>,
    /// Before this
    #[arg(long)]
    until: Option<DateTime<Utc>>,
    /// The log of the installation instead of the tenant's. Takes a key that runs it
    #[arg(long)]
    installation: bool,
    /// The most to list
    #[arg(long, default_value_t = 50)]
    limit: usize,
}

type Entries<'a> = Pin<Box<dyn Stream<Item = Result<AuditEntry, client::Error>> + Send + 'a>>;

pub(crate) async fn run(client: &Client, command: AuditCommand, output: Output) -> anyhow::Result<Ending> {
    match command {
        AuditCommand::List(ListArgs { action, target, by, since, until, installation, limit }) => {
            let query = ListAuditQuery { action, target, by, since, until, ..ListAuditQuery::default() };
            let entries: Vec<AuditEntry> =
                entries(client, query, installation).take(limit).try_collect().await?;
            output.many(&["seq", "at", "by", "action", "target", "outcome"], &entries)?;
            Ok(Ending::Done)
        }
        AuditCommand::Verify { installation } => {
            let query = ListAuditQuery { limit: Some(PAGE), ..ListAuditQuery::default() };
            verify(entries(client, query, installation), output).await
        }
    }
}

fn entries(client: &Client, query: ListAuditQuery, installation: bool) -> Entries<'_> {
    if !installation {
        return Box::pin(client.all_audit(query));
    }
    let ListAuditQuery { action, target, by, since, until, cursor, limit } = query;
    let query = ListInstallationAuditQuery { action, target, by, since, until, cursor, limit };
    Box::pin(client.all_installation_audit(query))
}

async fn verify(mut entries: Entries<'_>, output: Output) -> anyhow::Result<Ending> {
    let mut chain = Chain::default();
    while let Some(entry) = entries.try_next().await? {
        if let Err(seq) = chain.back_to(entry) {
            output.said(&format!("broken at entry {seq}"), &json!({ "whole": false, "broken_at": seq }))?;
            return Ok(Ending::Failed);
        }
    }
    let (count, head) = chain.head.clone().unwrap_or_default();
    if let Err(seq) = chain.ends() {
        output.said(&format!("broken at entry {seq}"), &json!({ "whole": false, "broken_at": seq }))?;
        return Ok(Ending::Failed);
    }
    let said = json!({ "whole": true, "entries": count, "hash": head });
    output.said(&format!("whole, {count} entries, {}", if head.is_empty() { "-" } else { &head }), &said)?;
    Ok(Ending::Done)
}

/// A chain that is followed from its end.
#[derive(Default)]
struct Chain {
    /// The last entry's number and hash.
    head: Option<(i64, String)>,
    /// The entry that was met last, whose hash takes the hash of the one before.
    later: Option<AuditEntry>,
}

impl Chain {
    /// Takes the entry before the one that was met last; the number of the one that does not follow, if that is so.
    fn back_to(&mut self, entry: AuditEntry) -> Result<(), i64> {
        let said: Value = serde_json::from_str(&entry.entry).unwrap_or_default();
        if said["seq"] != entry.seq {
            return Err(entry.seq);
        }
        match self.later.take() {
            None => self.head = Some((entry.seq, entry.hash.clone())),
            Some(later) if later.seq == entry.seq + 1 && follows(&later, &entry.hash) => {}
            Some(later) => return Err(later.seq),
        }
        self.later = Some(entry);
        Ok(())
    }

    /// Whether what was met last is the first of all.
    fn ends(self) -> Result<(), i64> {
        match self.later {
            Some(first) if first.seq != 1 || !follows(&first, "") => Err(first.seq),
            _ => Ok(()),
        }
    }
}

/// Whether the hash of `entry` covers this one before it.
fn follows(entry: &AuditEntry, before: &str) -> bool {
    let Ok(before) = hex::decode(before) else { return false };
    hex::encode(Sha256::new().chain_update(before).chain_update(&entry.entry).finalize()) == entry.hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(texts: &[&str]) -> Vec<AuditEntry> {
        let mut before = Vec::new();
        let made = texts.iter().zip(1..).map(|(text, seq)| {
            let entry = json!({ "seq": seq, "said": text }).to_string();
            before = Sha256::new().chain_update(&before).chain_update(&entry).finalize().to_vec();
            AuditEntry { seq, entry, hash: hex::encode(&before), ..AuditEntry::default() }
        });
        made.collect()
    }

    fn verified(mut entries: Vec<AuditEntry>) -> Result<(), i64> {
        let mut chain = Chain::default();
        entries.reverse();
        entries.into_iter().try_for_each(|entry| chain.back_to(entry))?;
        chain.ends()
    }

    #[test]
    fn a_chain_is_whole_until_somebody_touches_it() {
        let whole = chain(&["a", "b", "c"]);
        assert_eq!(verified(whole.clone()), Ok(()));
        assert_eq!(verified(Vec::new()), Ok(()));
        let mut changed = whole.clone();
        changed[1].entry = json!({ "seq": 2, "said": "B" }).to_string();
        assert_eq!(verified(changed), Err(2));
        let mut removed = whole.clone();
        removed.remove(1);
        assert_eq!(verified(removed), Err(3));
        assert_eq!(verified(whole[1..].to_vec()), Err(2), "the first is gone");
        let mut first = whole;
        first[0].entry = json!({ "seq": 1, "said": "A" }).to_string();
        assert_eq!(verified(first), Err(1));
    }
}
