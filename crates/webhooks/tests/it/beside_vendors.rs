//! Our judgement beside that of the vendors' own libraries, over the same messages.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::digest::{SHA256, digest};
use webhooks::{Refusal, Scheme, SigningKey, sign};

use crate::{
    sns,
    told::Told,
    vendors::{Language, Vendors},
};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER_SECRET: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const URL: &str = "https://hooks.example.com/v1/hooks/whs_1?shop=1&of=x%20y";
/// Further back than any library believes.
const LONG_AGO_S: i64 = 400;

fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn scheme(sdk: &str) -> Scheme {
    match sdk {
        "stripe" => Scheme::Stripe,
        "twilio" => Scheme::Twilio,
        _ => Scheme::StandardWebhooks,
    }
}

fn bodies() -> Vec<String> {
    let large = format!(r#"{{"id":"evt_5","object":"event","text":"{}"}}"#, "é1".repeat(60_000));
    [
        r#"{"id":"evt_1","object":"event","type":"invoice.paid"}"#,
        "{\"id\": \"evt_2\",\r\n \"object\": \"event\", \"text\": \"1 über 𠮷 \\u00e9 \\n\"}\n",
        r#"{"object":"event","amount":1.10,"big":9007199254740993,"id":"evt_3"}"#,
        r#"{"id":"evt_4","object":"event","nested":{"b":[1,2,{"a":null}],"a":true}}"#,
        &large,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn forms() -> Vec<String> {
    let long = format!("Body={}&MessageSid=SM1&NumSegments=1", "%F0%A0%AE%B7+1".repeat(500));
    [
        "CallSid=CA1&Caller=%2B14158675309&Digits=1234&From=%2B14158675309",
        "Body=Gr%C3%BC%C3%9Fe+1%262&MessageSid=SM1&MessageStatus=delivered&Empty=",
        "b=1&a=2&A=3&a=1&a=2&MessageSid=SM1",
        &long,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// What a sender has to sign, before it is signed.
fn unsigned(sdk: &'static str) -> Vec<(&'static str, Told)> {
    let secret = if sdk == "twilio" { "12345" } else { SECRET };
    let told = |url: String, body: &str| {
        let told = Told::new(scheme(sdk), secret, &[], body);
        (sdk, Told { url, now_s: now_s(), ..told })
    };
    let hashed = |body: &str| format!("{URL}&bodySHA256={}", hex::encode(digest(&SHA256, body.as_bytes())));
    if sdk == "twilio" {
        let forms = forms().into_iter().map(|form| told(URL.to_owned(), &form));
        return forms.chain(bodies().into_iter().map(|body| told(hashed(&body), &body))).collect();
    }
    bodies().into_iter().map(|body| told(URL.to_owned(), &body)).collect()
}

fn signed(vendors: &mut Vendors, language: Language) -> Vec<(&'static str, Told)> {
    let messages = language.sdks().iter().flat_map(|sdk| unsigned(sdk)).collect();
    vendors.sign(messages)
}

/// Each way in which a message is no longer what was signed.
fn altered(sdk: &str, told: &Told) -> Vec<(&'static str, Told)> {
    let mut altered = Vec::new();
    let mut add = |how, told| altered.push((how, told));
    let body = String::from_utf8(told.body.clone()).unwrap();
    add("a character of the body", Told { body: body.replacen('1', "2", 1).into(), ..told.clone() });
    add("the end of the body", Told { body: format!("{body}\n").into(), ..told.clone() });
    if let Ok(value) = serde_json::from_str::<serde_json::Value>(&body) {
        let again = serde_json::to_string_pretty(&value).unwrap();
        add("written again by a proxy", Told { body: again.into(), ..told.clone() });
    }
    let other = if sdk == "twilio" { "54321" } else { OTHER_SECRET };
    add("another secret", Told { secrets: vec![other.to_owned()], ..told.clone() });
    for (index, (name, value)) in told.headers.iter().enumerate() {
        let mut with = |how, value: String| {
            let mut told = told.clone();
            told.headers[index].1 = value;
            add(how, told);
        };
        if name.ends_with("-id") {
            with("the id", format!("{value}x"));
        } else if name.ends_with("-timestamp") {
            with("the time", (value.parse::<i64>().unwrap() - 1).to_string());
        } else {
            let (head, last) = value.split_at(value.len() - 3);
            with("the signature", format!("{head}{}", swapped(last)));
            with("no signature", String::new());
            if value.contains("v1") {
                with("the signature's version", value.replace("v1", "v0"));
            }
        }
    }
    if sdk == "twilio" {
        add("the URL", Told { url: told.url.replace("shop=1", "shop=2"), ..told.clone() });
    }
    if sdk == "stripe" {
        let mut told = told.clone();
        told.headers[0].1 = told.headers[0].1.replace(&told.now_s.to_string(), &(told.now_s - 1).to_string());
        add("the time", told);
    }
    altered
}

/// Other letters in every place.
fn swapped(text: &str) -> String {
    text.chars().map(|letter| if letter == 'b' { 'c' } else { 'b' }).collect()
}

#[test]
fn what_their_libraries_sign_is_believed_and_what_is_altered_by_neither() {
    for language in Language::ALL {
        let mut vendors = Vendors::start(language);
        let messages = signed(&mut vendors, language);
        for ((sdk, told), said) in messages.iter().zip(vendors.judge(&messages)) {
            assert_eq!(said, Ok(()), "{language:?} {sdk} believes itself");
            let judged = told.judge().unwrap_or_else(|refused| panic!("{language:?} {sdk}: {refused}"));
            assert!(!judged.id.is_empty());
        }
        let (mut ways, mut changed) = (Vec::new(), Vec::new());
        for (sdk, told) in &messages {
            for (way, told) in altered(sdk, told) {
                ways.push(way);
                changed.push((*sdk, told));
            }
        }
        assert!(changed.len() > 100, "only {} alterations", changed.len());
        for ((way, (sdk, told)), said) in ways.iter().zip(&changed).zip(vendors.judge(&changed)) {
            assert!(said.is_err(), "{language:?} {sdk} believes what had altered: {way}");
            assert!(told.judge().is_err(), "we believe a message of {sdk} that had altered: {way}");
        }
    }
}

#[test]
fn what_was_signed_long_ago_is_believed_by_neither() {
    for language in Language::ALL {
        let mut vendors = Vendors::start(language);
        let timed = language.sdks().iter().filter(|sdk| **sdk != "twilio");
        let old = timed.flat_map(|sdk| unsigned(sdk)).map(|(sdk, told)| {
            let now_s = told.now_s;
            (sdk, Told { now_s: now_s - LONG_AGO_S, ..told })
        });
        let old = vendors.sign(old.collect());
        for ((sdk, told), said) in old.iter().zip(vendors.judge(&old)) {
            assert!(said.is_err(), "{language:?} {sdk} believes what is old");
            let later = Told { now_s: told.now_s + LONG_AGO_S, ..told.clone() };
            assert!(matches!(later.judge(), Err(Refusal::TooOld { .. })), "{sdk}");
            // Signed ahead of our time: Stripe's libraries would let it pass, we do not.
            let earlier = Told { now_s: told.now_s - LONG_AGO_S, ..told.clone() };
            assert!(matches!(earlier.judge(), Err(Refusal::TooNew { .. })), "{sdk}");
        }
    }
}

/// What we send, signed by `keys` now, as somebody who knows `secret` gets it.
fn ours(keys: &[&SigningKey], secret: &SigningKey, body: &str) -> Told {
    let keys: Vec<SigningKey> = keys.iter().map(|key| (*key).clone()).collect();
    let headers = sign("whm_1", now_s(), body.as_bytes(), &keys).unwrap();
    let headers = [
        ("webhook-id", headers.id.as_str()),
        ("webhook-timestamp", headers.timestamp.as_str()),
        ("webhook-signature", headers.signature.as_str()),
    ];
    let secret = secret.for_receiver().unwrap();
    Told { now_s: now_s(), ..Told::new(Scheme::StandardWebhooks, &secret, &headers, body) }
}

#[test]
fn what_we_sign_their_libraries_believe_and_nothing_else() {
    let (shared, before) = (SigningKey::shared().unwrap(), SigningKey::shared().unwrap());
    let (private, stranger) = (SigningKey::private().unwrap(), SigningKey::private().unwrap());
    for language in Language::ALL {
        let mut vendors = Vendors::start(language);
        let mut cases: Vec<(&str, Told, bool)> = Vec::new();
        for body in bodies() {
            for sdk in language.receivers() {
                cases.push((sdk, ours(&[&shared], &shared, &body), true));
                // While a key changes, and whichever of the two the other side knows.
                for known in [&shared, &before] {
                    cases.push((sdk, ours(&[&shared, &before], known, &body), true));
                    cases.push((sdk, ours(&[&private, known], known, &body), true));
                }
                cases.push((sdk, ours(&[&before], &shared, &body), false));
                for (_, told) in altered(sdk, &ours(&[&shared], &shared, &body)) {
                    cases.push((sdk, told, false));
                }
            }
            if language == Language::Node {
                cases.push(("ed25519", ours(&[&private], &private, &body), true));
                cases.push(("ed25519", ours(&[&shared, &private], &private, &body), true));
                cases.push(("ed25519", ours(&[&stranger], &private, &body), false));
                let changed = Told { body: b"{}".to_vec(), ..ours(&[&private], &private, &body) };
                cases.push(("ed25519", changed, false));
            }
        }
        let messages: Vec<_> = cases.iter().map(|(sdk, told, _)| (*sdk, told.clone())).collect();
        for ((sdk, told, holds), said) in cases.iter().zip(vendors.judge(&messages)) {
            assert_eq!(said.is_ok(), *holds, "{language:?} {sdk}: {said:?} of {:?}", told.headers);
            assert_eq!(told.judge().is_ok(), *holds, "{sdk}");
        }
    }
}

#[test]
fn amazons_validator_says_of_sns_what_we_say() {
    let mut vendors = Vendors::start(Language::Node);
    let mut cases = Vec::new();
    for body in sns::VERSIONS {
        cases.push((sns::told(body), true));
        for (from, to) in [
            ("Bounce", "Lovely"),
            ("22b80b92", "22b80b93"),
            (":bounces", ":others"),
            ("12:00:00.000Z", "12:00:01.000Z"),
            ("sns.us-west-2.amazonaws.com", "sns.us-west-2.amazonaws.com.evil.example"),
            ("https://sns", "http://sns"),
            ("\"Notification\"", "\"SubscriptionConfirmation\""),
        ] {
            assert!(body.contains(from), "{from}");
            cases.push((sns::told(&body.replace(from, to)), false));
        }
        let stranger = Told { certificate: Some(sns::STRANGER.to_vec()), ..sns::told(body) };
        // A key of somebody else's; the validator does not look at whose certificate it is, and the signature does not fit.
        cases.push((stranger, false));
    }
    let messages: Vec<_> = cases.iter().map(|(told, _)| ("sns", told.clone())).collect();
    for ((told, holds), said) in cases.iter().zip(vendors.judge(&messages)) {
        assert_eq!(said.is_ok(), *holds, "{said:?} of {}", String::from_utf8_lossy(&told.body));
        assert_eq!(told.judge().is_ok(), *holds);
    }
}

/// From Cronofy's documentation of their notifications.
#[test]
fn cronofys_published_signatures_are_believed_for_the_secrets_they_belong_to() {
    const BODY: &str = r#"{"example":"well-known"}"#;
    const PUBLISHED: [(&str, &str); 2] = [
        ("pDY0Oi7TJSP2hfNmZNkm5", "6r2/HjBkqymGegX0wOfifieeUXbbHwtV/LohHS+jv6c="),
        ("CRN_NggYusqPGLxwjw5FHOJYOqSrTPNXy8WQf14OID", "5DxentQi5YSXODEzTVv06sRwJ3pULIz1KrYv20qxEK0="),
    ];
    let told = |secret: &str, header: &str| {
        Told::new(Scheme::Cronofy, secret, &[("cronofy-hmac-sha256", header)], BODY)
    };
    let both = PUBLISHED.map(|(_, signature)| signature).join(",");
    for (secret, signature) in PUBLISHED {
        told(secret, signature).judge().unwrap();
        told(secret, &both).judge().unwrap();
        let again = Told { body: br#"{"example": "well-known"}"#.to_vec(), ..told(secret, signature) };
        assert_eq!(again.judge(), Err(Refusal::WrongSignature));
    }
    assert_eq!(told(PUBLISHED[0].0, PUBLISHED[1].1).judge(), Err(Refusal::WrongSignature));
}
