//! What goes out is believed by whoever keeps to the same rules.

use webhooks::{Scheme, SigningKey, sign};

use crate::told::Told;

#[test]
fn what_we_sign_verifies_under_either_key() {
    let (shared, private) = (SigningKey::shared().unwrap(), SigningKey::private().unwrap());
    let body = br#"{"type":"job.completed"}"#;
    let headers = sign("evt_1", 1_700_000_000, body, &[shared.clone(), private.clone()]).unwrap();
    for key in [&shared, &private] {
        assert_eq!(SigningKey::parse(&key.text()).unwrap().text(), key.text());
        let told = Told::new(
            Scheme::StandardWebhooks,
            &key.for_receiver().unwrap(),
            &[
                ("webhook-id", &headers.id),
                ("webhook-timestamp", &headers.timestamp),
                ("webhook-signature", &headers.signature),
            ],
            std::str::from_utf8(body).unwrap(),
        );
        let identity = told.judge().unwrap();
        assert_eq!((identity.id.as_str(), identity.event_type.as_str()), ("evt_1", "job.completed"));
        let changed = Told { body: b"{}".to_vec(), ..told };
        assert!(changed.judge().is_err());
    }
}

#[test]
fn the_signature_is_the_one_of_the_specification() {
    let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let body = br#"{"test": 2432232314}"#;
    let headers = sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body, &[key]).unwrap();
    assert_eq!(headers.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    assert!(SigningKey::parse("secret").is_err());
}
