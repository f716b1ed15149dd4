//! A message and who is asked to believe it.

use webhooks::{Identity, Incoming, Refusal, Scheme, Secret, Trust, verify};

/// A message with everything that decides about it.
#[derive(Clone)]
pub(crate) struct Told {
    pub(crate) scheme: Scheme,
    pub(crate) secrets: Vec<String>,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) now_s: i64,
}

impl Told {
    pub(crate) fn new(scheme: Scheme, secret: &str, headers: &[(&str, &str)], body: &str) -> Self {
        Self {
            scheme,
            secrets: vec![secret.to_owned()],
            url: "https://hooks.example.com/v1/hooks/whs_1".to_owned(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.as_bytes().to_vec(),
            certificate: None,
            now_s: 1_700_000_000,
        }
    }

    pub(crate) fn judge(&self) -> Result<Identity, Refusal> {
        let secrets: Vec<Secret> =
            self.secrets.iter().map(|secret| Secret::parse(&self.scheme, secret).unwrap()).collect();
        let incoming = Incoming { url: &self.url, headers: &self.headers, body: &self.body };
        let trust = Trust {
            secrets: &secrets,
            certificate: self.certificate.as_deref(),
            window_s: 300,
            now_s: self.now_s,
        };
        verify(&self.scheme, &incoming, &trust)
    }
}
