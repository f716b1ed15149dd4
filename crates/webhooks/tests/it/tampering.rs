//! Whatever is changed on its way is not believed, and nothing makes the checks fall over.

use proptest::prelude::*;
use webhooks::{Refusal, Scheme};

use crate::{
    senders::{all, github, stripe},
    told::Told,
};

proptest! {
    #[test]
    fn a_changed_body_is_not_believed(which in 0_usize..8, at: prop::sample::Index, bit in 0_u32..8) {
        let mut told = all().swap_remove(which);
        let at = at.index(told.body.len());
        let before = told.body.clone();
        told.body[at] ^= 1 << bit;
        // A form that reads the same is the same form.
        let same = |body: &[u8]| told.scheme == Scheme::Twilio
            && url_pairs(body) == url_pairs(&before);
        prop_assert!(same(&told.body) || told.judge().is_err());
    }

    #[test]
    fn a_header_of_any_text_is_refused_in_words(which in 0_usize..8, header: usize, text in ".{0,200}") {
        let mut told = all().swap_remove(which);
        let header = header % told.headers.len();
        let before = std::mem::replace(&mut told.headers[header].1, text.clone());
        if let Err(refused) = told.judge() {
            prop_assert!(!refused.to_string().is_empty() && !refused.word().is_empty());
        } else {
            // Ids and types are not signed everywhere.
            let unsigned = ["x-github-delivery", "x-github-event", "x-id"].contains(&told.headers[header].0.as_str());
            prop_assert!(unsigned || before == text);
        }
    }

    #[test]
    fn a_body_of_any_bytes_has_a_bounded_name(body: Vec<u8>, id in ".{0,400}") {
        let mut told = Told { body, ..github() };
        told.headers[1].1 = id;
        // Whether it is believed or not, it does not fall over.
        drop(told.judge());
    }
}

fn url_pairs(form: &[u8]) -> Vec<(String, String)> {
    let mut pairs: Vec<_> = form_urlencoded::parse(form).into_owned().collect();
    pairs.sort();
    pairs.dedup();
    pairs
}

#[test]
fn a_signature_for_tests_only_is_never_enough() {
    let mut told = stripe();
    told.headers[0].1 = told.headers[0].1.replace("v1=", "v9=").replace("v0=ffff", "");
    assert_eq!(told.judge().unwrap_err().word(), "header_malformed");
    let none = Told { headers: Vec::new(), ..stripe() };
    assert_eq!(none.judge(), Err(Refusal::NoHeader("stripe-signature".into())));
    let no_secret = Told { secrets: Vec::new(), ..stripe() };
    assert_eq!(no_secret.judge(), Err(Refusal::NoSecret));
}
