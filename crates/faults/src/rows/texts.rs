//! F32: workers that are killed at each named point of sending a text message, whose carrier can be asked what it has.

use std::time::Duration;

use testkit::TwilioServer;

use super::{Ended, sends::Way};
use crate::{figure::Figure, stage::Stage};

/// The carrier is asked a minute after a call that broke off, and is given then what it never had.
const ASKED_WITHIN: Duration = Duration::from_mins(3);

pub(super) async fn run(stage: &Stage) -> anyhow::Result<Ended> {
    let twilio = TwilioServer::start().await?;
    let url = twilio.url();
    let account = ["--twilio-account", "AC1", "--twilio-token", "token", "--twilio-from", "+15005550006"];
    let provider = [&account[..], &["--twilio-url", url.as_str()]].concat();
    // The carrier treats a number as its end says: no number of these ends in a word that it knows.
    let people = |number: usize| format!("+4366{number:06}11");
    let way = Way::open(stage, "sms", people, &provider, ASKED_WITHIN).await?;
    let (told, deaths) = way.die_at_each(stage.pace.pick(2, 40, 200)).await?;
    let seen = way.seen(twilio.texts().into_iter().map(|text| text.to)).await?;
    let mut figures = seen.figures(told);
    figures.extend([
        Figure::be("known to be told", seen.of("sent"), told),
        Figure::none("nobody knows", seen.of("unknown")),
        Figure::none("listed as such", seen.listed),
    ]);
    figures.extend(deaths);
    Ok(Ended::Seen(figures))
}
