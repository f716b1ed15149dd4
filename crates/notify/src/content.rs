//! What is handed to each channel.

use jobs::Channel;
use serde::{Deserialize, Serialize};

use crate::{
    segments::{Segments, segments, straightened},
    templates::{Rendered, TemplateError},
};

/// Segments of one text message.
const SEGMENTS_MAX: usize = 10;

/// A mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// One line.
    pub subject: String,
    /// For mail programs that show it.
    pub html: String,
    /// For the others.
    pub text: String,
    /// Where a POST ends messages of this sort; none for those that cannot be ended.
    pub unsubscribe: Option<String>,
    /// What the recipient's calendar is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invitation: Option<Invitation>,
}

/// What a calendar is told by a mail (RFC 6047).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// `REQUEST` or `CANCEL`, as it stands in the calendar too.
    pub method: String,
    /// The calendar.
    pub calendar: String,
}

/// A text message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sms {
    /// What it says.
    pub text: String,
    /// What it takes.
    pub segments: Segments,
}

/// A line in a chat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChatText {
    /// What it says.
    pub text: String,
}

/// A line in an inbox or on a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbox {
    /// One line.
    pub title: String,
    /// What it says.
    pub body: String,
    /// Where it leads.
    pub url: Option<String>,
}

/// What one channel is handed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// A mail.
    Email(Mail),
    /// A text message.
    Sms(Sms),
    /// A notice on a device.
    Push(Inbox),
    /// A line in a chat.
    Chat(ChatText),
    /// A line in the inbox.
    InApp(Inbox),
}

/// What `channel` is handed of `rendered`. `unsubscribe` is what that link says and where it leads.
///
/// # Errors
/// When a text message would take too many segments.
pub fn contents(
    rendered: &Rendered,
    channel: Channel,
    unsubscribe: Option<(&str, &str)>,
) -> Result<Content, TemplateError> {
    let line = || Inbox {
        title: rendered.subject.clone(),
        body: rendered.lines.join("\n"),
        url: rendered.button.as_ref().map(|button| button.url.clone()),
    };
    Ok(match channel {
        Channel::Email => Content::Email(Mail {
            subject: rendered.subject.clone(),
            html: rendered.html.clone(),
            text: rendered.text(unsubscribe),
            unsubscribe: unsubscribe.map(|(_, url)| url.to_owned()),
            invitation: None,
        }),
        Channel::Sms => {
            let text = straightened(&rendered.short);
            let segments = segments(&text);
            if segments.count > SEGMENTS_MAX {
                let said = format!("it takes {} segments, and {SEGMENTS_MAX} are enough", segments.count);
                return Err(TemplateError::Failed { piece: "/short".to_owned(), said });
            }
            Content::Sms(Sms { text, segments })
        }
        Channel::Push => Content::Push(line()),
        Channel::Chat => Content::Chat(ChatText { text: rendered.short.clone() }),
        Channel::InApp => Content::InApp(line()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::Source;

    fn rendered(short: &str) -> Rendered {
        let source = json!({"subject": "Hi", "lines": ["a", "b"], "short": short});
        serde_json::from_value::<Source>(source).unwrap().render(&Map::new(), None).unwrap()
    }

    #[test]
    fn a_text_message_is_counted_and_bounded() {
        let told = contents(&rendered("It’s ready"), Channel::Sms, None).unwrap();
        assert!(matches!(told, Content::Sms(Sms { segments: Segments { count: 1, .. }, .. })));
        assert!(contents(&rendered(&"x".repeat(1_530)), Channel::Sms, None).is_ok());
        assert!(contents(&rendered(&"x".repeat(1_531)), Channel::Sms, None).is_err());
    }

    #[test]
    fn contents_come_back_from_their_rows() {
        for channel in Channel::ALL {
            let content = contents(&rendered("x"), channel, Some(("Stop", "https://example.com/u"))).unwrap();
            let row = serde_json::to_value(&content).unwrap();
            assert!(row.get(channel.name()).is_some(), "{row}");
            assert_eq!(serde_json::from_value::<Content>(row).unwrap(), content);
        }
    }
}
