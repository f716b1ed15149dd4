//! Twilio: what became of a text message, and what was answered to one. Both are forms.

use serde_json::Value;

use super::{Cost, Fate, Heard, Keyword, NoFeedback, Report, detail, text};

/// There is no such number, or it takes no text messages.
const GONE: [&str; 4] = ["30005", "30006", "21211", "21614"];
/// Its owner answered STOP.
const STOPPED: &str = "21610";

pub(super) fn hear(body: &Value) -> Result<Heard, NoFeedback> {
    let status = text(body, "/MessageStatus").or_else(|| text(body, "/SmsStatus"));
    let code = text(body, "/ErrorCode");
    let fate = match status.ok_or(NoFeedback("it has no status of a message"))? {
        "received" | "receiving" => return answer(body),
        "sent" => Fate::Sent,
        "delivered" | "read" => Fate::Delivered,
        "undelivered" | "failed" => match code {
            Some(STOPPED) => Fate::Stopped,
            Some(code) if GONE.contains(&code) => Fate::Gone,
            _ => Fate::Bounced,
        },
        // It is on its way, as we know.
        "accepted" | "scheduled" | "queued" | "sending" | "canceled" => return Ok(Heard::Nothing),
        _ => return Err(NoFeedback("its status is none of a message")),
    };
    let sid = text(body, "/MessageSid").or_else(|| text(body, "/SmsSid"));
    Ok(Heard::Fate(Report {
        message: None,
        provider_id: Some(sid.ok_or(NoFeedback("it names no message"))?.to_owned()),
        fate,
        detail: match fate {
            Fate::Sent | Fate::Delivered => None,
            _ => detail(&[status, code, text(body, "/ErrorMessage")]),
        },
        cost: text(body, "/Price")
            .zip(text(body, "/PriceUnit"))
            .and_then(|(price, unit)| Cost::read(price, unit)),
    }))
}

fn answer(body: &Value) -> Result<Heard, NoFeedback> {
    let from = text(body, "/From").ok_or(NoFeedback("an answer from nobody"))?;
    // A picture has no text.
    let said = body.get("Body").and_then(Value::as_str).unwrap_or_default();
    Ok(Heard::Answer { from: from.trim().to_owned(), keyword: Keyword::of(said) })
}

#[cfg(test)]
mod tests {
    use jobs::Channel;
    use serde_json::json;

    use super::super::hear;
    use super::*;

    fn told(status: &str, code: Option<&str>) -> Result<Heard, NoFeedback> {
        let mut body =
            json!({"MessageSid": "SM1", "MessageStatus": status, "To": "+4366012345", "From": "+1500"});
        if let Some(code) = code {
            body["ErrorCode"] = json!(code);
        }
        hear(Channel::Sms, &body)
    }

    #[test]
    fn a_status_says_what_became_of_the_message() {
        for (status, code, fate, said) in [
            ("sent", None, Fate::Sent, None),
            ("delivered", None, Fate::Delivered, None),
            ("undelivered", Some("30003"), Fate::Bounced, Some("undelivered: 30003")),
            ("undelivered", Some("30005"), Fate::Gone, Some("undelivered: 30005")),
            ("failed", Some("30006"), Fate::Gone, Some("failed: 30006")),
            ("failed", Some("21610"), Fate::Stopped, Some("failed: 21610")),
            ("failed", None, Fate::Bounced, Some("failed")),
        ] {
            let Ok(Heard::Fate(report)) = told(status, code) else { panic!("{status}") };
            assert_eq!((report.fate, report.detail.as_deref()), (fate, said), "{status} {code:?}");
            assert_eq!(report.provider_id.as_deref(), Some("SM1"));
        }
        for status in ["queued", "sending", "accepted"] {
            assert_eq!(told(status, None), Ok(Heard::Nothing));
        }
        assert!(told("ringing", None).is_err());
        assert!(hear(Channel::Sms, &json!({"MessageStatus": "sent"})).is_err(), "it names no message");
    }

    #[test]
    fn an_answer_is_a_keyword_or_for_a_person() {
        let answered = |text: &str| {
            let body =
                json!({"SmsStatus": "received", "MessageSid": "SM2", "From": "+4366012345", "Body": text});
            hear(Channel::Sms, &body).unwrap()
        };
        let from = "+4366012345".to_owned();
        let wanted = |keyword| Heard::Answer { from: from.clone(), keyword };
        assert_eq!(answered("Stop."), wanted(Some(Keyword::Stop)));
        assert_eq!(answered("stop please"), wanted(None));
        assert_eq!(answered(""), wanted(None));
    }
}
