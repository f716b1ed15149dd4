//! Whether a message is from whom it says.

use crate::{
    identity::Identity,
    incoming::Incoming,
    refusal::Refusal,
    scheme::Scheme,
    schemes::{cronofy, generic, github, sns, standard, stripe, twilio},
    secrets::Secret,
};

/// How far a sender's clock may be ahead.
pub const FUTURE_S_MAX: i64 = 60;

/// What a message is believed by.
#[derive(Clone, Copy)]
pub struct Trust<'a> {
    /// The secrets that hold now: one, or two while they change.
    pub secrets: &'a [Secret],
    /// The certificate that [`crate::certificate_url`] names, in PEM; only for SNS.
    pub certificate: Option<&'a [u8]>,
    /// How old a message may be whose scheme signs the time, in seconds.
    pub window_s: u32,
    /// What the time is, in seconds since 1970.
    pub now_s: i64,
}

impl<'a> Trust<'a> {
    /// The keys of HMACs.
    pub(crate) fn keys(&self) -> Result<Vec<&'a [u8]>, Refusal> {
        let keys: Vec<&[u8]> = self.secrets.iter().filter_map(Secret::shared).collect();
        if keys.is_empty() { Err(Refusal::NoSecret) } else { Ok(keys) }
    }

    /// Passes when something signed at `at_s` is neither too old nor of the future. Called after the signature was found
    /// right, so that the reason can be believed.
    pub(crate) fn check_time(&self, at_s: i64) -> Result<(), Refusal> {
        let (age_s, window_s) = (self.now_s.saturating_sub(at_s), i64::from(self.window_s));
        if age_s > window_s {
            return Err(Refusal::TooOld { age_s, window_s });
        }
        if age_s < -FUTURE_S_MAX {
            return Err(Refusal::TooNew { ahead_s: -age_s });
        }
        Ok(())
    }
}

/// Which event `incoming` is, once it is certain who sent it.
///
/// # Errors
/// Says why the message is not believed.
pub fn verify(scheme: &Scheme, incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<Identity, Refusal> {
    match scheme {
        Scheme::Stripe => stripe::verify("stripe-signature", incoming, trust)?,
        Scheme::Mux => stripe::verify("mux-signature", incoming, trust)?,
        Scheme::Twilio => twilio::verify(incoming, trust)?,
        Scheme::Cronofy => cronofy::verify(incoming, trust)?,
        Scheme::StandardWebhooks => standard::verify(incoming, trust)?,
        Scheme::Github => github::verify(incoming, trust)?,
        Scheme::Sns => sns::verify(incoming, trust)?,
        Scheme::Generic(generic) => generic::verify(generic, incoming, trust)?,
    }
    Ok(Identity::of(scheme, incoming))
}
