//! Notices between processes. A notice only says "look": it may come twice, late, or never.

use std::time::Duration;

use jobs::Queue;
use sqlx::postgres::PgListener;

use crate::{
    db::Db,
    error::{OrFailed, StoreError},
};

/// What to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Jobs may have become available: in this queue, or nobody knows where.
    Jobs(Option<Queue>),
    /// These jobs moved, said something, or ended; empty means "any may have".
    Moved(Vec<String>),
    /// Somebody wants this job stopped.
    Cancel(String),
    /// A bulk operation was asked for.
    Bulk,
    /// The connection was lost and is back: anything may have been missed.
    Resumed,
}

/// An ear on the database.
pub struct Notices {
    listener: PgListener,
}

/// What an ear listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    /// Work to do and work to stop.
    Workers,
    /// Whatever readers watch.
    Readers,
}

impl Notices {
    /// Opens a connection of its own and listens.
    pub async fn listen(db: &Db, purpose: For) -> Result<Self, StoreError> {
        let mut listener = PgListener::connect_with(db.pool()).await.or_failed("listen for notices")?;
        let channels: &[&str] = match purpose {
            For::Workers => &["crewline_jobs", "crewline_cancel", "crewline_bulk"],
            For::Readers => &["crewline_moved"],
        };
        listener.listen_all(channels.iter().copied()).await.or_failed("listen for notices")?;
        Ok(Self { listener })
    }

    /// The next notice. When the connection is lost it reconnects, and then says [`Notice::Resumed`].
    pub async fn next(&mut self) -> Notice {
        loop {
            match self.listener.try_recv().await {
                Ok(Some(notice)) => {
                    let text = notice.payload().to_owned();
                    return match notice.channel() {
                        "crewline_cancel" => Notice::Cancel(text),
                        "crewline_bulk" => Notice::Bulk,
                        "crewline_moved" => Notice::Moved(
                            text.split(',').filter(|id| !id.is_empty()).map(str::to_owned).collect(),
                        ),
                        _ => Notice::Jobs(text.parse().ok()),
                    };
                }
                Ok(None) => return Notice::Resumed,
                Err(error) => {
                    tracing::warn!(error = %error, "Lost the connection that listens for notices; trying again");
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
            }
        }
    }
}
