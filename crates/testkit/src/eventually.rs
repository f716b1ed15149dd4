//! Waiting for something that will happen soon.

use std::time::Duration;

use tokio::time::Instant;

/// Longest pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Asks `look` until it answers, and returns the answer.
///
/// # Panics
/// When `bound` is over first; the message says what was waited for.
#[expect(clippy::panic, reason = "a test that waits in vain has failed")]
pub async fn eventually<T, Fut>(what: &str, bound: Duration, look: impl FnMut() -> Fut) -> T
where
    Fut: Future<Output = Option<T>>,
{
    match until(what, bound, LOOK_EVERY, look).await {
        Ok(answer) => answer,
        Err(waited) => panic!("{waited}"),
    }
}

/// The same for programs, looking every `pause`.
///
/// # Errors
/// When `bound` is over first; the message says what was waited for.
pub async fn until<T, Fut>(
    what: &str,
    bound: Duration,
    pause: Duration,
    mut look: impl FnMut() -> Fut,
) -> anyhow::Result<T>
where
    Fut: Future<Output = Option<T>>,
{
    let give_up = Instant::now() + bound;
    loop {
        if let Some(answer) = look().await {
            return Ok(answer);
        }
        anyhow::ensure!(Instant::now() < give_up, "waited {bound:?} in vain for: {what}");
        tokio::time::sleep(pause).await;
    }
}
