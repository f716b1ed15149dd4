//! What mail servers write back in the form of RFC 6522: how a delivery went (RFC 3464), and complaints (RFC 5965).
//!
//! Anybody can write such a mail. Only somebody who has seen the message knows what it is called, so at worst a recipient
//! keeps messages away from themselves.

use mail_parser::{Message, MessageParser, MessagePart, MimeHeaders};

use super::{Fate, Heard, NoFeedback, Report, detail, message_named};

/// How servers say that there is no such mailbox (RFC 3463).
const NOBODY: [&str; 3] = ["5.1.1", "5.1.10", "5.1.6"];
/// Fields read of a report.
const FIELDS_MAX: usize = 200;

/// Whether a mail server says with this that there is no such mailbox.
pub fn is_nobody(said: &str) -> bool {
    let code = |word: &str| NOBODY.contains(&word.trim_matches(|c: char| !c.is_ascii_digit()));
    // A line that goes on has a hyphen after its code: 550-5.1.1.
    said.split(|c: char| c.is_whitespace() || c == '-').any(code)
}

/// Reads what a mail server wrote back.
///
/// # Errors
/// When it is no report about a mail.
pub fn hear_mail(mail: &[u8]) -> Result<Heard, NoFeedback> {
    let mail = MessageParser::default().parse(mail).ok_or(NoFeedback("it is no mail"))?;
    let part = |subtypes: [&str; 2]| mail.parts.iter().find(|part| is_message(part, subtypes));
    let told = if let Some(part) = part(["delivery-status", "global-delivery-status"]) {
        delivery(&fields(part))
    } else if let Some(part) = part(["feedback-report", "feedback-report"]) {
        complaint(&fields(part))
    } else {
        return Err(NoFeedback("it is no report about a mail"));
    };
    let Some((fate, detail)) = told else { return Ok(Heard::Nothing) };
    Ok(Heard::Fate(Report { message: returned(&mail), provider_id: None, fate, detail, cost: None }))
}

fn is_message(part: &MessagePart<'_>, subtypes: [&str; 2]) -> bool {
    subtypes.iter().any(|subtype| part.is_content_type("message", subtype))
}

/// The fields of a report, those of all its blocks one after the other: a mail of ours has one recipient.
fn fields(part: &MessagePart<'_>) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(part.contents());
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':')
            && fields.len() < FIELDS_MAX
        {
            fields.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    fields
}

fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// How a delivery went, if that is certain by now.
fn delivery(fields: &[(String, String)]) -> Option<(Fate, Option<String>)> {
    let (status, diagnosis) = (field(fields, "status"), field(fields, "diagnostic-code"));
    let said = detail(&[status, diagnosis]);
    let fate = match field(fields, "action")?.to_ascii_lowercase().as_str() {
        "delivered" => Fate::Delivered,
        "failed" if said.as_deref().is_some_and(is_nobody) => Fate::Gone,
        "failed" => Fate::Bounced,
        // It is late, or went where nobody reports.
        _ => return None,
    };
    Some((fate, said))
}

fn complaint(fields: &[(String, String)]) -> Option<(Fate, Option<String>)> {
    let kind = field(fields, "feedback-type")?;
    let is_about_it = ["abuse", "fraud", "other", "virus"].iter().any(|word| kind.eq_ignore_ascii_case(word));
    is_about_it.then(|| (Fate::Complained, detail(&[Some(kind), field(fields, "user-agent")])))
}

/// The message of ours that came back: by its head, which comes with the report, or by what the report answers.
fn returned(mail: &Message<'_>) -> Option<jobs::MessageId> {
    let in_part = |part: &MessagePart<'_>| {
        if let Some(message) = part.message() {
            return message_named(message.message_id()?);
        }
        let is_head =
            part.is_content_type("text", "rfc822-headers") || is_message(part, ["global-headers"; 2]);
        let head = MessageParser::default().parse_headers(part.contents()).filter(|_| is_head)?;
        message_named(head.message_id()?)
    };
    let answered = || {
        [mail.in_reply_to(), mail.references()]
            .into_iter()
            .find_map(|ids| ids.as_text_list()?.iter().find_map(|id| message_named(id)))
    };
    mail.parts.iter().find_map(in_part).or_else(answered)
}

#[cfg(test)]
mod tests {
    use jobs::MessageId;
    use proptest::prelude::*;

    use super::*;

    /// A report as Postfix writes it, with the whole mail; as Exchange does, with its head; as Gmail does, folded.
    const POSTFIX: &str = "From: MAILER-DAEMON@mx.test\r\nTo: bounces@acme.test\r\nSubject: Undelivered Mail\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b/1\"\r\n\r\nThis is a MIME-encapsulated message.\r\n\r\n--b/1\r\nContent-Description: Notification\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nI'm sorry.\r\n\r\n--b/1\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\nArrival-Date: Sat, 21 Nov 2026 10:00:00 +0000 (UTC)\r\n\r\nFinal-Recipient: rfc822; ada@example.test\r\nAction: {ACTION}\r\nStatus: {STATUS}\r\nRemote-MTA: dns; mx.example.test\r\nDiagnostic-Code: smtp; {DIAGNOSIS}\r\n\r\n--b/1\r\nContent-Description: Undelivered Message\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{ID}@acme.test>\r\nSubject: Hi\r\n\r\nHi.\r\n\r\n--b/1--\r\n";
    const EXCHANGE: &str = "From: <postmaster@outlook.test>\r\nTo: <bounces@acme.test>\r\nContent-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"x\"\r\nIn-Reply-To: <{ID}@acme.test>\r\n\r\n--x\r\nContent-Type: text/html; charset=\"utf-8\"\r\n\r\n<p>Ihre Nachricht</p>\r\n--x\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns;outlook.test\r\n\r\nFinal-recipient: RFC822;ada@example.test\r\nAction: {ACTION}\r\nStatus: {STATUS}\r\nDiagnostic-code: smtp;{DIAGNOSIS}\r\n\r\n--x\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: Acme <hello@acme.test>\r\nMessage-ID: <{ID}@acme.test>\r\n\r\n--x--\r\n";
    const GMAIL: &str = "To: bounces@acme.test\r\nReferences: <{ID}@acme.test>\r\nContent-Type: multipart/report; boundary=\"g\"; report-type=delivery-status\r\n\r\n--g\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; gmail.test\r\n\r\nFinal-Recipient: rfc822; ada@example.test\r\nAction: {ACTION}\r\nStatus: {STATUS}\r\nDiagnostic-Code: smtp;\r\n {DIAGNOSIS}\r\n\r\n--g--\r\n";
    const COMPLAINT: &str = "To: bounces@acme.test\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"f\"\r\n\r\n--f\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {KIND}\r\nUser-Agent: SomeLoop/1\r\nVersion: 1\r\n\r\n--f\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{ID}@acme.test>\r\nSubject: Hi\r\n\r\nHi.\r\n--f--\r\n";

    fn filled(form: &str, id: MessageId, values: &[(&str, &str)]) -> String {
        let form = form.replace("{ID}", &id.to_string());
        values.iter().fold(form, |form, (name, value)| form.replace(name, value))
    }

    fn hears(form: &str, id: MessageId, values: &[(&str, &str)]) -> Option<Fate> {
        match hear_mail(filled(form, id, values).as_bytes()).unwrap() {
            Heard::Fate(report) => {
                assert_eq!(report.message, Some(id));
                Some(report.fate)
            }
            other => {
                assert_eq!(other, Heard::Nothing);
                None
            }
        }
    }

    #[test]
    fn reports_of_several_servers_tell_what_became_of_which_message() {
        let id = MessageId::new();
        for form in [POSTFIX, EXCHANGE, GMAIL] {
            for (action, status, diagnosis, fate) in [
                ("failed", "5.1.1", "550 5.1.1 <ada@example.test>: user unknown", Some(Fate::Gone)),
                ("Failed", "5.0.0", "550-5.1.1 no such user", Some(Fate::Gone)),
                ("failed", "5.2.2", "552 5.2.2 mailbox full", Some(Fate::Bounced)),
                ("failed", "5.7.1", "554 5.7.1 spam", Some(Fate::Bounced)),
                ("delivered", "2.0.0", "250 ok", Some(Fate::Delivered)),
                ("delayed", "4.4.1", "no answer", None),
                ("relayed", "2.0.0", "250 ok", None),
            ] {
                let values = [("{ACTION}", action), ("{STATUS}", status), ("{DIAGNOSIS}", diagnosis)];
                assert_eq!(hears(form, id, &values), fate, "{action} {status}\n{form}");
            }
        }
    }

    #[test]
    fn complaints_are_heard_and_praise_is_not() {
        let id = MessageId::new();
        assert_eq!(hears(COMPLAINT, id, &[("{KIND}", "abuse")]), Some(Fate::Complained));
        assert_eq!(hears(COMPLAINT, id, &[("{KIND}", "not-spam")]), None);
    }

    #[test]
    fn what_a_server_said_is_kept() {
        let values = [("{ACTION}", "failed"), ("{STATUS}", "5.2.2"), ("{DIAGNOSIS}", "552 full")];
        let Heard::Fate(report) = hear_mail(filled(GMAIL, MessageId::new(), &values).as_bytes()).unwrap()
        else {
            unreachable!("it tells of a fate")
        };
        assert_eq!(report.detail.unwrap(), "5.2.2: smtp; 552 full");
    }

    #[test]
    fn a_letter_of_a_person_is_no_report_even_with_one_in_it() {
        let values = [("{ACTION}", "failed"), ("{STATUS}", "5.1.1"), ("{DIAGNOSIS}", "550")];
        let report = filled(POSTFIX, MessageId::new(), &values);
        let forwarded = format!(
            "Subject: Fwd\r\nContent-Type: multipart/mixed; boundary=\"m\"\r\n\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n{report}\r\n--m--\r\n"
        );
        for mail in ["", "Subject: Hi\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n", &forwarded] {
            assert!(hear_mail(mail.as_bytes()).is_err(), "{mail}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_by_mail_does_harm(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let mut mail = POSTFIX.as_bytes().to_vec();
            let at = at.index(mail.len());
            mail.splice(at..at, noise);
            let _ = hear_mail(&mail);
            let _ = hear_mail(&mail[..at]);
        }
    }
}
