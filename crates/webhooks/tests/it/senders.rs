//! Messages as their senders publish them, or as an HMAC of another hand makes them.

use serde_json::json;
use webhooks::{Refusal, Scheme};

use crate::told::Told;

pub(crate) const STRIPE_BODY: &str = r#"{"id":"evt_1","type":"invoice.paid"}"#;
const STRIPE_SIGNATURE: &str = "46dc069361a7691082640523fa33fe5d6c8c88d5f5e257cdf8cf11539d166595";
const CRONOFY_BODY: &str = r#"{"notification":{"type":"change","changes_since":"2026-11-21T00:00:00Z"}}"#;
const CRONOFY_SIGNATURE: &str = "OgDo1+DLN+kMwHWmmzhD6tT/bMmGf24qcSUPxLj3HEY=";
const TWILIO_FORM: &str =
    "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&To=%2B18005551212";
const TWILIO_URL: &str = "https://mycompany.com/myapp.php?foo=1&bar=2";
const TWILIO_HASH: &str = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620";

pub(crate) fn stripe() -> Told {
    let header = format!("t=1700000000,v1={STRIPE_SIGNATURE},v0=ffff");
    Told::new(Scheme::Stripe, "whsec_test_secret", &[("stripe-signature", &header)], STRIPE_BODY)
}

pub(crate) fn mux() -> Told {
    let header = format!("t=1700000000,v1={STRIPE_SIGNATURE}");
    Told::new(Scheme::Mux, "whsec_test_secret", &[("mux-signature", &header)], STRIPE_BODY)
}

pub(crate) fn cronofy() -> Told {
    let header = format!("AAAA,{CRONOFY_SIGNATURE}");
    Told::new(Scheme::Cronofy, "client-secret", &[("cronofy-hmac-sha256", &header)], CRONOFY_BODY)
}

/// From the documentation of Twilio's libraries.
pub(crate) fn twilio() -> Told {
    let header = ("x-twilio-signature", "RSOYDt4T1cUTdK1PDd93/VVr8B8=");
    Told { url: TWILIO_URL.to_owned(), ..Told::new(Scheme::Twilio, "12345", &[header], TWILIO_FORM) }
}

pub(crate) fn twilio_json() -> Told {
    let header = ("x-twilio-signature", "a9nBmqA0ju/hNViExpshrM61xv4=");
    let told = Told::new(Scheme::Twilio, "12345", &[header], r#"{"property": "value", "boolean": true}"#);
    Told { url: format!("{TWILIO_URL}&bodySHA256={TWILIO_HASH}"), ..told }
}

/// From the specification of Standard Webhooks.
pub(crate) fn standard() -> Told {
    let headers = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v2,x"),
    ];
    let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let told = Told::new(Scheme::StandardWebhooks, secret, &headers, r#"{"test": 2432232314}"#);
    Told { now_s: 1_614_265_330, ..told }
}

/// From GitHub's documentation.
pub(crate) fn github() -> Told {
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let headers =
        [("x-hub-signature-256", signature), ("x-github-delivery", "72d3162e"), ("x-github-event", "push")];
    Told::new(Scheme::Github, "It's a Secret to Everybody", &headers, "Hello, World!")
}

pub(crate) fn generic() -> Told {
    let scheme = json!({
        "type": "generic", "header": "X-Signature", "algorithm": "sha512", "encoding": "hex", "prefix": "v=",
        "timestamp_header": "X-Time", "id_header": "X-Id",
    });
    let signature = "v=493a77245a439213c08d42c9ea1764253a097c850adbacf9852fd2a81161f9e158551e65c50cdccd8fa67a243455bd3730d1bdab62357969903ddf48a20be10a";
    let headers = [("x-signature", signature), ("x-time", "1700000000"), ("x-id", "17")];
    Told::new(serde_json::from_value(scheme).unwrap(), "s3", &headers, "x=1")
}

pub(crate) fn all() -> Vec<Told> {
    vec![stripe(), mux(), cronofy(), twilio(), twilio_json(), standard(), github(), generic()]
}

#[test]
fn what_senders_send_is_believed_and_known_again() {
    let known: Vec<(String, String)> = all()
        .iter()
        .map(|told| told.judge().unwrap_or_else(|refused| panic!("{}: {refused}", told.scheme.name())))
        .map(|identity| (identity.id, identity.event_type))
        .collect();
    let of = |index: usize| (known[index].0.as_str(), known[index].1.as_str());
    assert_eq!((of(0), of(1)), (("evt_1", "invoice.paid"), ("evt_1", "invoice.paid")));
    assert!(of(2).0.starts_with("sha256:") && of(2).1 == "change");
    assert!(of(3).0.starts_with("sha256:") && of(3).1 == "unknown", "nothing says what became of the call");
    assert_eq!((of(5).0, of(6), of(7).0), ("msg_p5jXN8AQM9LWM0D4loKWxJek", ("72d3162e", "push"), "17"));
}

#[test]
fn the_port_of_https_may_be_named_or_not() {
    // Whatever the port: a proxy in front may listen on another.
    for port in ["", ":443", ":8443"] {
        let url = TWILIO_URL.replace(".com/", &format!(".com{port}/"));
        Told { url, ..twilio() }.judge().unwrap();
    }
    let elsewhere = Told { url: TWILIO_URL.replace(".com/", ".net/"), ..twilio() };
    assert_eq!(elsewhere.judge(), Err(Refusal::WrongSignature));
    let other_body = Told { body: b"{}".to_vec(), ..twilio_json() };
    assert_eq!(other_body.judge().unwrap_err().word(), "unreadable_body");
}

#[test]
fn while_a_secret_changes_both_hold() {
    for told in all() {
        let other = if told.scheme == Scheme::StandardWebhooks {
            "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
        } else {
            "other"
        };
        let (before, after) = (told.secrets[0].clone(), other.to_owned());
        for secrets in [vec![before.clone(), after.clone()], vec![after.clone(), before.clone()]] {
            Told { secrets, ..told.clone() }.judge().unwrap();
        }
        let later = Told { secrets: vec![after], ..told.clone() };
        assert_eq!(later.judge(), Err(Refusal::WrongSignature), "{}", told.scheme.name());
    }
}

#[test]
fn what_was_signed_long_ago_or_in_the_future_is_refused_with_both_numbers() {
    for told in [stripe(), mux(), standard(), generic()] {
        let at = |after_s: i64| Told { now_s: told.now_s + after_s, ..told.clone() }.judge();
        assert!(at(300).is_ok() && at(-60).is_ok());
        assert_eq!(at(301), Err(Refusal::TooOld { age_s: 301, window_s: 300 }));
        assert_eq!(at(-61), Err(Refusal::TooNew { ahead_s: 61 }));
    }
}

#[test]
fn of_several_signatures_of_stripe_any_may_be_the_right_one() {
    let wrong = "0".repeat(64);
    for header in [
        format!("t=1700000000,v1={wrong},v1={STRIPE_SIGNATURE}"),
        format!("t=1700000000,v1={STRIPE_SIGNATURE},v1={wrong}"),
    ] {
        let told =
            Told::new(Scheme::Stripe, "whsec_test_secret", &[("stripe-signature", &header)], STRIPE_BODY);
        told.judge().unwrap();
    }
    let header = format!("t=1700000000,v1={wrong},v1={wrong}");
    let told = Told { headers: vec![("stripe-signature".to_owned(), header)], ..stripe() };
    assert_eq!(told.judge().unwrap_err().word(), "wrong_signature");
}
