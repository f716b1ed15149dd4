//! Does `media.scan`: shows an original to ClamAV as it comes from S3, piece by piece.

use std::time::Duration;

use blob::{BlobError, Key};
use jobs::{
    AssetState, Classify, Failure, Outcome,
    failure::Problem,
    kinds::{
        media_probe::MediaProbe,
        media_scan::{MediaScan, Scanned},
    },
};
use sha2::{Digest, Sha256};
use store::{
    logs::Level,
    media::{self, Asset},
    scans::NewScan,
    verdict::Write,
};
use telemetry::metrics as names;

use crate::{
    clamd::{ClamdError, Opinion},
    cx::Cx,
    film_child::LIMITS,
    originals::changed,
    registry::Handle,
};

/// How long an original waits when the scanner is away. No attempt is used up, however long that is.
const AWAY_WAIT: Duration = Duration::from_secs(10);

impl Handle for MediaScan {
    async fn run(self, cx: &Cx<'_>) -> Outcome<Scanned> {
        let asset = media::asset(&cx.deps.db, cx.tenant(), self.asset)
            .await?
            .ok_or_else(|| Failure::discard("asset_not_found", "the file was deleted or never existed"))?;
        let scanner = cx.deps.clamd.version().await.map_err(|error| put_off(cx, &error))?;
        let (verdict, finding) = match show(cx, &asset).await? {
            Ok(opinion) => judge(opinion),
            // Whatever makes it fail on this file will not pass.
            Err(ClamdError::Failed { said }) if cx.job.attempt >= cx.job.max_attempts => {
                (AssetState::Unscannable, Some(said))
            }
            Err(error) => return Err(put_off(cx, &error)),
        };
        // What is shown to the scanner again has mostly been looked into.
        if verdict == AssetState::Clean && asset.probe.is_none() {
            cx.then(&MediaProbe { asset: asset.id() })?;
        }
        tell(cx, &asset, verdict, finding.as_deref());
        let new = NewScan { asset: asset.id(), verdict, finding, scanner };
        cx.write(Write::Scan(Box::new(new.clone())));
        let NewScan { asset, verdict, finding, scanner } = new;
        Ok(Scanned { asset, verdict, finding, scanner })
    }
}

/// What the scanner thinks of the bytes that were verified, and of no others.
async fn show(cx: &Cx<'_>, asset: &Asset) -> Outcome<Result<Opinion, ClamdError>> {
    let key = Key::parse(&asset.object_key).discard("bad_key")?;
    let mut body = match cx.deps.blobs.open(&key, LIMITS.bytes_max).await {
        Err(error @ BlobError::TooLarge { .. }) => {
            return Ok(Ok(Opinion::Unscannable { why: Problem::of("too_large", &error).message }));
        }
        other => other?,
    };
    let mut scan = match cx.deps.clamd.begin().await {
        Ok(scan) => scan,
        Err(error) => return Ok(Err(error)),
    };
    let mut sha256 = Sha256::new();
    while let Some(piece) = body.next().await? {
        sha256.update(&piece);
        if !scan.send(&piece).await {
            return Ok(scan.opinion().await);
        }
    }
    if hex::encode(sha256.finalize()) != asset.sha256 {
        return Err(changed());
    }
    Ok(scan.opinion().await)
}

fn judge(opinion: Opinion) -> (AssetState, Option<String>) {
    match opinion {
        Opinion::Clean => (AssetState::Clean, None),
        Opinion::Infected { signature } => (AssetState::Infected, Some(signature)),
        Opinion::Unscannable { why } => (AssetState::Unscannable, Some(why)),
    }
}

/// A scanner that is away is nobody's attempt.
fn put_off(cx: &Cx<'_>, error: &ClamdError) -> Failure {
    match error {
        ClamdError::Away { .. } => {
            cx.progress(0, "waiting for the virus scanner");
            Failure::Snooze { wait: AWAY_WAIT, problem: Problem::of("scanner_away", error) }
        }
        ClamdError::Failed { .. } => {
            Failure::Retry { problem: Problem::of("scanner_failed", error), after: None }
        }
    }
}

/// Counted, and where the file is held, said aloud: to the tenant in the job's log, to operators in the worker's.
fn tell(cx: &Cx<'_>, asset: &Asset, verdict: AssetState, finding: Option<&str>) {
    metrics::counter!(names::ASSETS_SCANNED_TOTAL, names::LABEL_OUTCOME => verdict.name()).increment(1);
    if !verdict.is_held() {
        return;
    }
    let (id, finding) = (asset.id(), finding.unwrap_or_default());
    cx.log(Level::Warn, format!("the file is {verdict} and is held: {finding}"));
    tracing::error!(
        tenant.id = %cx.tenant(),
        asset.id = %id,
        finding,
        "{id} is {verdict} and is held"
    );
}
