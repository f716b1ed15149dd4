//! Resend, and whoever speaks as it does: `email.bounced`, `email.complained`, `email.delivered`.

use serde_json::Value;

use super::{Fate, Heard, NoFeedback, Report, detail, message_among, message_named, text};

pub(super) fn hear(body: &Value) -> Result<Heard, NoFeedback> {
    let event = text(body, "/type").ok_or(NoFeedback("it has no type"))?;
    if !event.starts_with("email.") {
        return Err(NoFeedback("it is not about a mail"));
    }
    let (fate, said) = match event {
        "email.sent" => (Fate::Sent, None),
        "email.delivered" => (Fate::Delivered, None),
        "email.complained" => (Fate::Complained, Some("the recipient called it spam")),
        "email.bounced" => (bounce(body), Some("it bounced")),
        // Nobody was asked: there the address is on a list already.
        "email.suppressed" => (Fate::Gone, Some("the provider keeps everything away from the address")),
        "email.failed" => (Fate::Bounced, Some("the provider could not send it")),
        _ => return Ok(Heard::Nothing),
    };
    let detail = detail(&[
        said,
        text(body, "/data/bounce/type"),
        text(body, "/data/bounce/subType"),
        text(body, "/data/bounce/message"),
        text(body, "/data/failed/reason"),
    ]);
    let named = text(body, "/data/message_id").and_then(message_named);
    Ok(Heard::Fate(Report {
        message: named.or_else(|| message_among(body.pointer("/data/headers"))),
        provider_id: text(body, "/data/email_id").map(str::to_owned),
        fate,
        detail,
        cost: None,
    }))
}

fn bounce(body: &Value) -> Fate {
    let is_permanent =
        text(body, "/data/bounce/type").is_some_and(|said| said.eq_ignore_ascii_case("permanent"));
    if is_permanent { Fate::Gone } else { Fate::Bounced }
}

#[cfg(test)]
mod tests {
    use jobs::{Channel, MessageId};
    use serde_json::json;

    use super::super::hear;
    use super::*;

    fn report(body: &Value) -> Report {
        match hear(Channel::Email, body) {
            Ok(Heard::Fate(report)) => report,
            other => panic!("{other:?}"),
        }
    }

    fn told(event: &str, more: &Value) -> Value {
        let mut data = json!({
            "email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "from": "Acme <hello@acme.test>",
            "to": ["ada@example.test"], "subject": "Hi", "created_at": "2026-11-22T10:00:00.000Z",
        });
        for (name, value) in more.as_object().unwrap() {
            data[name] = value.clone();
        }
        json!({"type": event, "created_at": "2026-11-22T10:00:01.000Z", "data": data})
    }

    #[test]
    fn only_a_permanent_bounce_keeps_the_next_message_away() {
        for (kind, fate) in
            [("Permanent", Fate::Gone), ("Transient", Fate::Bounced), ("Undetermined", Fate::Bounced)]
        {
            let bounce = json!({"bounce": {"type": kind, "subType": "General", "message": "no such user"}});
            let report = report(&told("email.bounced", &bounce));
            assert_eq!(report.fate, fate);
            assert_eq!(report.detail.unwrap(), format!("it bounced: {kind}: General: no such user"));
            assert_eq!(report.provider_id.unwrap(), "56761188-7520-42d8-8898-ff6fc54ce618");
        }
        assert_eq!(report(&told("email.bounced", &json!({}))).fate, Fate::Bounced, "it does not say");
    }

    #[test]
    fn our_name_of_the_message_is_found_where_it_is_told() {
        let id = MessageId::new();
        let header = json!({"headers": [{"name": "Message-Id", "value": format!("<{id}@acme.test>")}]});
        assert_eq!(report(&told("email.delivered", &header)).message, Some(id));
        let field = json!({"message_id": format!("<{id}@acme.test>")});
        assert_eq!(report(&told("email.complained", &field)).message, Some(id));
        let foreign = json!({"message_id": "<0100@email.amazonses.com>"});
        assert_eq!(report(&told("email.delivered", &foreign)).message, None);
    }

    #[test]
    fn what_needs_no_note_is_told_from_what_is_no_feedback() {
        for event in ["email.opened", "email.clicked", "email.delivery_delayed", "email.scheduled"] {
            assert_eq!(hear(Channel::Email, &told(event, &json!({}))), Ok(Heard::Nothing), "{event}");
        }
        for body in [json!({}), json!({"type": "contact.created"}), json!([1]), json!("x")] {
            assert!(hear(Channel::Email, &body).is_err(), "{body}");
        }
    }
}
