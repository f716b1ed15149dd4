//! F8: a Redis cluster that loses a node. Not here.

use super::Ended;
use crate::stage::Stage;

#[expect(clippy::unused_async, reason = "every row is")]
pub(super) async fn run(_: &Stage) -> anyhow::Result<Ended> {
    let reason = "tickets go to one Redis; a cluster is not supported, and losing all of Redis is F7";
    Ok(Ended::NotHere(reason.to_owned()))
}
