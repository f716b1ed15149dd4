//! Messages of SNS, signed by a certificate made for these tests.

use webhooks::{Refusal, Scheme, certificate_url};

use crate::told::Told;

pub(crate) const VERSIONS: [&str; 2] =
    [include_str!("sns/version_1.json"), include_str!("sns/version_2.json")];
const CERTIFICATE: &[u8] = include_bytes!("sns/certificate.pem");
pub(crate) const STRANGER: &[u8] = include_bytes!("sns/stranger.pem");
/// 2027-03-01T12:00:10Z.
const NOW_S: i64 = 1_803_902_410;

pub(crate) fn told(body: &str) -> Told {
    let certificate = Some(CERTIFICATE.to_vec());
    Told { secrets: Vec::new(), certificate, now_s: NOW_S, ..Told::new(Scheme::Sns, "", &[], body) }
}

#[test]
fn both_versions_are_believed_and_changed_ones_are_not() {
    for body in VERSIONS {
        let identity = told(body).judge().unwrap();
        assert_eq!(identity.id, "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324");
        assert_eq!(identity.event_type, "Bounce");
        assert_eq!(told(&body.replace("Bounce", "Lovely")).judge(), Err(Refusal::WrongSignature));
        let other = Told { certificate: Some(STRANGER.to_vec()), ..told(body) };
        assert_eq!(other.judge().unwrap_err().word(), "bad_certificate");
        let none = Told { certificate: None, ..told(body) };
        assert_eq!(none.judge().unwrap_err().word(), "bad_certificate");
        let late = Told { now_s: NOW_S + 1_000, ..told(body) };
        assert_eq!(late.judge().unwrap_err().word(), "too_old");
    }
}

#[test]
fn a_certificate_elsewhere_is_never_fetched() {
    let body = |url: &str| format!(r#"{{"SigningCertURL": "{url}"}}"#);
    let path = "/SimpleNotificationService-01.pem";
    for host in [
        "https://sns.eu-west-1.amazonaws.com",
        "https://sns.us-gov-west-1.amazonaws.com",
        "https://sns.cn-north-1.amazonaws.com.cn",
    ] {
        assert!(certificate_url(body(&format!("{host}{path}")).as_bytes()).is_ok(), "{host}");
    }
    for url in [
        format!("https://sns.x.amazonaws.com{path}"),
        format!("https://sns.-eu-west-1.amazonaws.com{path}"),
        format!("https://sns.eu-west-123.amazonaws.com{path}"),
        format!("http://sns.eu-west-1.amazonaws.com{path}"),
        format!("https://sns.eu-west-1.amazonaws.com.evil.example{path}"),
        format!("https://evil.example/sns.eu-west-1.amazonaws.com{path}"),
        format!("https://sns.eu-west-1.amazonaws.com:8443{path}"),
        format!("https://sns.eu-west-1.amazonaws.com@evil.example{path}"),
        format!("https://u:p@sns.eu-west-1.amazonaws.com{path}"),
        format!("https://sns.a.b.amazonaws.com{path}"),
        format!("https://sns..amazonaws.com{path}"),
        format!("https://bucket.s3.amazonaws.com{path}"),
        "https://sns.eu-west-1.amazonaws.com/other.pem".to_owned(),
        "file:///etc/passwd".to_owned(),
        String::new(),
    ] {
        assert_eq!(certificate_url(body(&url).as_bytes()), Err(Refusal::ForeignCertificate), "{url}");
    }
    assert!(certificate_url(b"{}").is_err() && certificate_url(b"\xff").is_err());
}
