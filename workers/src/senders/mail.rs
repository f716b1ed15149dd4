//! Mails: what stands on the envelope, in the head and in the body.

use jobs::MessageId;
use lettre::{
    Address, Message,
    message::{
        Mailbox, MultiPart, SinglePart,
        dkim::{DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningKey},
        header::{ContentType, HeaderName, HeaderValue},
    },
};
use notify::{Content, Invitation, Mail};

use super::{Answer, Carries, smtp::Smtp};

/// What a signature covers: with the links to unsubscribe, so that nobody changes where they lead (RFC 8058). Not the type
/// of the content: lettre counts it to the body of a mail in parts, names it as signed all the same, and nobody would find
/// the signature genuine.
const SIGNED: [&str; 8] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// Something to be handed over, and to whom.
pub struct Letter<'a> {
    /// Which message it is.
    pub message: MessageId,
    /// What the recipient is called.
    pub name: &'a str,
    /// Where to.
    pub address: &'a str,
    /// What.
    pub content: &'a Content,
    /// Where the provider is to tell what becomes of it.
    pub callback: Option<&'a str>,
}

/// Signs mails for a domain.
pub(super) struct Dkim(DkimConfig);

impl Dkim {
    pub(super) fn new(selector: String, domain: String, key: DkimSigningKey) -> Self {
        let headers = SIGNED.map(HeaderName::new_from_ascii_str).to_vec();
        // Servers on the way fold and unfold headers; a relaxed signature bears it.
        let relaxed = DkimCanonicalizationType::Relaxed;
        let canonicalization = DkimCanonicalization { header: relaxed, body: relaxed };
        Self(DkimConfig::new(selector, domain, key, headers, canonicalization))
    }
}

/// Writes mails and hands them to the mail server.
pub struct Mailer {
    smtp: Smtp,
    from: Mailbox,
    dkim: Option<Dkim>,
}

impl Carries for Mailer {
    type What = Mail;
    const NAME: &'static str = "smtp";

    async fn send(&self, letter: &Letter<'_>, mail: &Mail) -> Answer {
        match self.write(letter, mail) {
            Ok(written) => self.smtp.send(written.envelope(), &written.formatted()).await,
            Err(said) => Answer::Failed(said),
        }
    }
}

impl Mailer {
    pub(super) fn new(smtp: Smtp, from: Mailbox, dkim: Option<Dkim>) -> Self {
        Self { smtp, from, dkim }
    }

    /// Who mails are from, and to whom calendars answer.
    pub(super) fn sender(&self) -> &Mailbox {
        &self.from
    }

    fn write(&self, letter: &Letter<'_>, mail: &Mail) -> Result<Message, String> {
        let address = ascii(letter.address)?;
        let id = format!("<{}@{}>", letter.message, self.from.email.domain());
        let mut written = Message::builder()
            .message_id(Some(id))
            .from(self.from.clone())
            .to(Mailbox::new(Some(one_line(letter.name)), address))
            .subject(one_line(&mail.subject))
            .multipart(body(mail)?)
            .map_err(|error| format!("the mail cannot be written: {error}"))?;
        if let Some(url) = &mail.unsubscribe {
            // Never folded: servers that unfold it have broken signatures before.
            let whole = |name, value: String| {
                HeaderValue::dangerous_new_pre_encoded(
                    HeaderName::new_from_ascii_str(name),
                    value.clone(),
                    value,
                )
            };
            let headers = written.headers_mut();
            headers.insert_raw(whole("List-Unsubscribe", format!("<{}>", plain(url))));
            headers.insert_raw(whole("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        }
        if let Some(Dkim(config)) = &self.dkim {
            written.sign(config);
        }
        Ok(written)
    }
}

/// An address as every server takes it: with the ASCII that stands for a domain in another script.
fn ascii(address: &str) -> Result<Address, String> {
    let unusable = |why: &str| format!("the address cannot be used: {why}");
    let (local, domain) = address.rsplit_once('@').ok_or_else(|| unusable("it has no @"))?;
    if !local.is_ascii() {
        return Err(unusable("before the @ servers take ASCII only"));
    }
    let domain = idna::domain_to_ascii(domain).map_err(|_| unusable("no domain is written so"))?;
    Address::new(local, domain).map_err(|error| unusable(&error.to_string()))
}

/// What a mail says, to people and, last, to their calendars: a program shows the last of what it understands.
fn body(mail: &Mail) -> Result<MultiPart, String> {
    let said = MultiPart::alternative_plain_html(mail.text.clone(), mail.html.clone());
    let Some(Invitation { method, calendar }) = &mail.invitation else { return Ok(said) };
    let kind = ContentType::parse(&format!("text/calendar; charset=utf-8; method={method}"))
        .map_err(|error| format!("the invitation cannot be written: {error}"))?;
    Ok(said.singlepart(SinglePart::builder().header(kind).body(calendar.clone())))
}

/// An address as it may stand in a header: visible ASCII without the brackets that end it.
fn plain(url: &str) -> String {
    url.chars().filter(|c| c.is_ascii_graphic() && !"<>".contains(*c)).collect()
}

/// Without anything that could begin another header.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::senders::Tls;

    fn mailer() -> Mailer {
        let smtp = Smtp::new(("localhost", 1), (Tls::None, None), None, "acme.test");
        Mailer::new(smtp, "Acme <hello@acme.test>".parse().unwrap(), None)
    }

    fn written(name: &str, address: &str, subject: &str) -> Result<String, String> {
        let (message, unsubscribe) = (MessageId::new(), Some("https://api.acme.test/u/x".to_owned()));
        let mail = Mail {
            subject: subject.to_owned(),
            html: "<p>ü</p>".to_owned(),
            text: "ü".to_owned(),
            unsubscribe,
            invitation: None,
        };
        let content = Content::Email(mail.clone());
        let letter = Letter { message, name, address, content: &content, callback: None };
        let written = mailer().write(&letter, &mail)?;
        Ok(String::from_utf8(written.formatted()).unwrap())
    }

    #[test]
    fn nothing_in_a_name_or_subject_begins_another_header() {
        let mail = written("Ada\r\nBcc: eve@evil.test", "ada@example.test", "Hi\r\nX-Evil: 1").unwrap();
        let head = mail.split("\r\n\r\n").next().unwrap();
        assert!(!head.contains("\r\nBcc:") && !head.contains("\r\nX-Evil:"), "{head}");
        assert!(written("Ada", "ada@example.test\r\nRCPT TO:<eve@evil.test>", "Hi").is_err());
    }

    #[test]
    fn a_domain_of_any_script_is_written_in_ascii() {
        let mail = written("Ada", "ada@bücher.example", "Hi").unwrap();
        let head = mail.split("\r\n\r\n").next().unwrap();
        assert!(head.contains("ada@xn--bcher-kva.example") && head.is_ascii(), "{head}");
        for wrong in ["ä@example.test", "ada", "ada@"] {
            assert!(written("Ada", wrong, "Hi").is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_invitation_is_the_last_thing_that_a_mail_says() {
        let invitation =
            Invitation { method: "REQUEST".to_owned(), calendar: "BEGIN:VCALENDAR\r\n".to_owned() };
        let mail = Mail {
            subject: "Hi".to_owned(),
            html: "<p>Hi</p>".to_owned(),
            text: "Hi".to_owned(),
            unsubscribe: None,
            invitation: Some(invitation),
        };
        let written = String::from_utf8(body(&mail).unwrap().formatted()).unwrap();
        let at = |what: &str| written.find(what).unwrap_or_else(|| panic!("{what} in {written}"));
        assert!(at("text/plain") < at("text/html") && at("text/html") < at("text/calendar"));
        assert!(at("method=REQUEST") < at("BEGIN:VCALENDAR"), "{written}");
    }

    #[test]
    fn a_mail_can_be_unsubscribed_with_one_click_and_has_a_name_of_its_own() {
        let mail = written("Ada Lovelace", "ada+tag@example.test", "Grüße").unwrap();
        assert!(mail.contains("List-Unsubscribe: <https://api.acme.test/u/x>\r\n"), "{mail}");
        assert!(mail.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"));
        assert!(mail.contains("Message-ID: <msg_") && mail.contains("@acme.test>\r\n"));
        assert!(mail.contains("text/plain") && mail.contains("text/html"));
    }
}
