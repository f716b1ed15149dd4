//! What calendars of guests write back: a mail with an answer in it (RFC 6047).

use mail_parser::{MessageParser, MimeHeaders};

/// An answer that came by mail. Who wrote it is what the mail says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailedReply {
    /// Who the mail says it is from.
    pub from: Option<String>,
    /// What the mail says that the calendar is for.
    pub method: Option<String>,
    /// The calendar in it.
    pub calendar: String,
}

/// The first calendar in a mail, whatever it says.
pub fn reply_in(mail: &[u8]) -> Option<MailedReply> {
    let mail = MessageParser::default().parse(mail)?;
    let part = mail.parts.iter().find(|part| part.is_content_type("text", "calendar"))?;
    let calendar = String::from_utf8_lossy(part.contents()).into_owned();
    let method = part.content_type().and_then(|said| said.attribute("method")).map(str::to_owned);
    let from = mail.from().and_then(|from| from.first()).and_then(|from| from.address());
    Some(MailedReply { from: from.map(str::to_owned), method, calendar })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAIL: &str = "From: Ada <ada@example.test>\r\nTo: hello@acme.test\r\nSubject: Accepted: 12 Elm Street\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain; charset=\"UTF-8\"\r\n\r\nAda has accepted.\r\n--b\r\nContent-Type: text/calendar; charset=\"UTF-8\"; method=REPLY\r\nContent-Transfer-Encoding: base64\r\n\r\nQkVHSU46VkNBTEVOREFSDQpNRVRIT0Q6UkVQTFkNCkVORDpWQ0FMRU5EQVINCg==\r\n--b--\r\n";

    #[test]
    fn an_answer_is_found_in_a_mail_with_who_sent_it() {
        let reply = reply_in(MAIL.as_bytes()).unwrap();
        assert_eq!(reply.from.as_deref(), Some("ada@example.test"));
        assert_eq!(reply.method.as_deref(), Some("REPLY"));
        assert_eq!(reply.calendar, "BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nEND:VCALENDAR\r\n");
        let bare = MAIL.replace("; method=REPLY", "");
        assert_eq!(reply_in(bare.as_bytes()).unwrap().method, None);
        assert_eq!(reply_in(b"Subject: Hi\r\n\r\nBEGIN:VCALENDAR\r\n"), None);
    }

    proptest! {
        #[test]
        fn nothing_that_comes_by_mail_does_harm(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<prop::sample::Index>(),
        ) {
            let mut mail = MAIL.as_bytes().to_vec();
            let at = at.index(mail.len());
            mail.splice(at..at, noise);
            let _ = reply_in(&mail);
            let _ = reply_in(&mail[..at]);
        }
    }
}
