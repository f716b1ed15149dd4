//! Amazon SES, which speaks by SNS: the older notifications (`notificationType`) and the newer events (`eventType`).

use serde_json::Value;

use super::{Fate, Heard, NoFeedback, Report, detail, message_among, message_named, text};

pub(super) fn hear(body: &Value) -> Result<Heard, NoFeedback> {
    match text(body, "/Type") {
        Some("SubscriptionConfirmation") => {
            let missing = || NoFeedback("a subscription without a URL or a topic");
            let url = text(body, "/SubscribeURL").ok_or_else(missing)?.to_owned();
            let topic = text(body, "/TopicArn").ok_or_else(missing)?.to_owned();
            Ok(Heard::Subscription { url, topic })
        }
        Some("Notification") => {
            let message = text(body, "/Message").ok_or(NoFeedback("a notification without a message"))?;
            // SES greets a topic it was given with a sentence, once.
            let Ok(told) = serde_json::from_str::<Value>(message) else { return Ok(Heard::Nothing) };
            of_mail(&told)
        }
        _ => Ok(Heard::Nothing),
    }
}

fn of_mail(told: &Value) -> Result<Heard, NoFeedback> {
    let event = text(told, "/notificationType").or_else(|| text(told, "/eventType"));
    let fate = match event.ok_or(NoFeedback("a message that is none of SES"))? {
        "Send" => Fate::Sent,
        "Delivery" => Fate::Delivered,
        "Bounce" if text(told, "/bounce/bounceType") == Some("Permanent") => Fate::Gone,
        "Bounce" | "Reject" => Fate::Bounced,
        // Some tell that a mail was no spam by the same way.
        "Complaint" if text(told, "/complaint/complaintFeedbackType") == Some("not-spam") => {
            return Ok(Heard::Nothing);
        }
        "Complaint" => Fate::Complained,
        _ => return Ok(Heard::Nothing),
    };
    let detail = match fate {
        Fate::Sent | Fate::Delivered => None,
        _ => detail(&[
            text(told, "/bounce/bounceType"),
            text(told, "/bounce/bounceSubType"),
            text(told, "/bounce/bouncedRecipients/0/status"),
            text(told, "/bounce/bouncedRecipients/0/diagnosticCode"),
            text(told, "/complaint/complaintFeedbackType"),
            text(told, "/reject/reason"),
        ]),
    };
    let named = message_among(told.pointer("/mail/headers"));
    Ok(Heard::Fate(Report {
        message: named.or_else(|| text(told, "/mail/commonHeaders/messageId").and_then(message_named)),
        provider_id: text(told, "/mail/messageId").map(str::to_owned),
        fate,
        detail,
        cost: None,
    }))
}

/// Whether `url` is where Amazon SNS has subscriptions confirmed, and nowhere else: `https`, its own host, no port, no user.
pub fn is_amazon_subscription(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://sns.") else { return false };
    let Some((host, query)) = rest.split_once("/?") else { return false };
    let region = host.strip_suffix(".amazonaws.com").or_else(|| host.strip_suffix(".amazonaws.com.cn"));
    let is_region = |region: &str| {
        !region.is_empty()
            && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    let does = |wanted: &str| query.split('&').any(|part| part == wanted);
    region.is_some_and(is_region)
        && does("Action=ConfirmSubscription")
        && query.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'\\' | b'#' | b'"' | b'<' | b'>'))
}

#[cfg(test)]
mod tests {
    use jobs::{Channel, MessageId};
    use serde_json::json;

    use super::super::hear;
    use super::*;

    fn notification(message: &Value) -> Value {
        json!({"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:1:mails", "Message": message.to_string()})
    }

    fn heard(message: &Value) -> Heard {
        hear(Channel::Email, &notification(message)).unwrap()
    }

    #[test]
    fn bounces_complaints_and_deliveries_are_heard_in_both_spellings() {
        let id = MessageId::new();
        let headers = json!([{"name": "From", "value": "x"}, {"name": "Message-ID", "value": format!("<{id}@a.test>")}]);
        let recipient = json!([{"emailAddress": "ada@example.test", "status": "5.1.1", "diagnosticCode": "smtp; 550 no"}]);
        let bounce = |kind: &str| json!({"bounceType": kind, "bounceSubType": "General", "bouncedRecipients": recipient});
        for spelling in ["notificationType", "eventType"] {
            for (event, more, fate) in [
                ("Bounce", bounce("Permanent"), Fate::Gone),
                ("Bounce", bounce("Transient"), Fate::Bounced),
                ("Bounce", bounce("Undetermined"), Fate::Bounced),
                ("Complaint", json!({"complaintFeedbackType": "abuse"}), Fate::Complained),
                ("Complaint", json!({}), Fate::Complained),
                ("Delivery", json!({"smtpResponse": "250 ok"}), Fate::Delivered),
            ] {
                let mut told = json!({"mail": {"messageId": "0100-000000", "headers": headers}});
                told[spelling] = json!(event);
                told[event.to_lowercase()] = more;
                let Heard::Fate(report) = heard(&told) else { panic!("{told}") };
                assert_eq!((report.fate, report.message), (fate, Some(id)), "{told}");
                assert_eq!(report.provider_id.as_deref(), Some("0100-000000"));
                if fate == Fate::Gone {
                    assert_eq!(report.detail.unwrap(), "Permanent: General: 5.1.1: smtp; 550 no");
                }
            }
        }
    }

    #[test]
    fn without_headers_there_is_the_name_that_ses_gave() {
        let told = json!({"notificationType": "Delivery", "mail": {"messageId": "0100-000000"}});
        let Heard::Fate(report) = heard(&told) else { panic!() };
        assert_eq!((report.message, report.provider_id.as_deref()), (None, Some("0100-000000")));
        let id = MessageId::new();
        let common = json!({"messageId": "0100", "commonHeaders": {"messageId": format!("<{id}@a.test>")}});
        let Heard::Fate(report) = heard(&json!({"eventType": "Delivery", "mail": common})) else { panic!() };
        assert_eq!(report.message, Some(id));
    }

    #[test]
    fn what_is_no_bad_news_is_nothing() {
        for told in [
            json!({"notificationType": "Complaint", "complaint": {"complaintFeedbackType": "not-spam"}, "mail": {}}),
            json!({"eventType": "Open", "mail": {}}),
            json!({"eventType": "DeliveryDelay", "mail": {}}),
        ] {
            assert_eq!(heard(&told), Heard::Nothing, "{told}");
        }
        let greeting =
            json!({"Type": "Notification", "TopicArn": "t", "Message": "Successfully validated SNS topic"});
        assert_eq!(hear(Channel::Email, &greeting), Ok(Heard::Nothing));
        assert!(hear(Channel::Email, &notification(&json!({"x": 1}))).is_err());
    }

    #[test]
    fn a_subscription_is_visited_at_amazon_and_nowhere_else() {
        let good =
            "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:x&Token=23";
        let asked = json!({"Type": "SubscriptionConfirmation", "TopicArn": "t", "SubscribeURL": good});
        let wanted = Heard::Subscription { url: good.to_owned(), topic: "t".to_owned() };
        assert_eq!(hear(Channel::Email, &asked), Ok(wanted));
        assert!(is_amazon_subscription(good));
        assert!(is_amazon_subscription(
            "https://sns.cn-north-1.amazonaws.com.cn/?Action=ConfirmSubscription&Token=1"
        ));
        for url in [
            "http://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription",
            "https://sns.eu-west-1.amazonaws.com.evil.test/?Action=ConfirmSubscription",
            "https://evil.test/?Action=ConfirmSubscription",
            "https://sns.eu-west-1.amazonaws.com@evil.test/?Action=ConfirmSubscription",
            "https://sns.eu-west-1.amazonaws.com:8443/?Action=ConfirmSubscription",
            "https://sns.a/b.amazonaws.com/?Action=ConfirmSubscription",
            "https://sns.evil.test#.amazonaws.com/?Action=ConfirmSubscription",
            "https://sns.eu-west-1.amazonaws.com/?Action=Publish&Message=x",
            "https://sns..amazonaws.com/?Action=ConfirmSubscription",
            "https://s3.amazonaws.com/?Action=ConfirmSubscription",
        ] {
            assert!(!is_amazon_subscription(url), "{url}");
        }
    }
}
