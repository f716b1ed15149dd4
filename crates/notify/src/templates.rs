//! Templates: one source, from which the subject, the HTML, the plain text, the text message and the inbox line come.
//!
//! Each piece is filled in as plain text; the HTML then takes those texts in, escaped for where they stand. So nothing a
//! customer is called can become markup, and no piece can forget to escape.

use std::collections::BTreeSet;

use minijinja::{
    AutoEscape, Environment, UndefinedBehavior,
    value::{Serde, Value as Filled},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::frame::frame;

/// Paragraphs of a template.
pub const LINES_MAX: usize = 40;
/// Bytes of one piece of a template.
pub const PIECE_BYTES_MAX: usize = 16 * 1024;
/// Bytes of one piece that is filled in.
pub const RENDERED_BYTES_MAX: usize = 256 * 1024;
/// Characters of a subject: more is cut off by mail programs, and folded by servers.
const SUBJECT_CHARS_MAX: usize = 200;
/// Steps that filling in one piece may take.
const FUEL: u64 = 50_000;
/// Names that the frame of a mail is given besides the variables.
const OF_THE_FRAME: [&str; 5] = ["subject", "lines", "button", "unsubscribe", "unsubscribe_label"];

/// What a template may call without being given it.
const FUNCTIONS: [&str; 4] = ["range", "dict", "debug", "namespace"];

/// A template in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Of the mail and of the inbox line.
    pub subject: String,
    /// Paragraphs.
    pub lines: Vec<String>,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub button: Option<Button>,
    /// The text message and the line in a chat; the subject, and where the button leads, unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub short: Option<String>,
    /// MJML in place of the product's, with `subject`, `lines`, `button`, `unsubscribe` and every variable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mjml: Option<String>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Button {
    /// What it says.
    pub label: String,
    /// Where it leads; `https:` or `http:`.
    pub url: String,
}

/// A template that is filled in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// Paragraphs.
    pub lines: Vec<String>,
    /// What to do next.
    pub button: Option<Button>,
    /// For text messages and chats.
    pub short: String,
    /// For mail programs.
    pub html: String,
}

/// Why a template cannot be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It is not a template.
    #[error("{piece} cannot be read: {said}")]
    Unreadable {
        /// Which piece, as a JSON Pointer into the source.
        piece: String,
        /// What is wrong.
        said: String,
    },
    /// Variables are missing: all of them, in order.
    #[error("the template needs {}", .0.join(", "))]
    Missing(Vec<String>),
    /// It does not work with these variables.
    #[error("{piece} cannot be filled in: {said}")]
    Failed {
        /// Which piece.
        piece: String,
        /// What is wrong.
        said: String,
    },
    /// It came out too long, or is too long.
    #[error("{piece} takes more than {bytes_max} bytes")]
    TooLong {
        /// Which piece.
        piece: String,
        /// How many it may take.
        bytes_max: usize,
    },
}

impl Rendered {
    /// As plain text, with the link at its end.
    pub fn text(&self, unsubscribe: Option<(&str, &str)>) -> String {
        let button = self.button.as_ref().map(|button| format!("\n\n{}: {}", button.label, button.url));
        let unsubscribe = unsubscribe.map(|(label, url)| format!("\n\n--\n{label}: {url}"));
        let ends = [button, unsubscribe].into_iter().flatten().collect::<String>();
        format!("{}{ends}\n", self.lines.join("\n\n"))
    }
}

impl Source {
    /// The pieces, and where each stands.
    fn pieces(&self) -> Vec<(String, &str)> {
        let mut pieces = vec![("/subject".to_owned(), self.subject.as_str())];
        pieces
            .extend(self.lines.iter().enumerate().map(|(at, line)| (format!("/lines/{at}"), line.as_str())));
        if let Some(button) = &self.button {
            pieces.push(("/button/label".to_owned(), &button.label));
            pieces.push(("/button/url".to_owned(), &button.url));
        }
        pieces.extend(self.short.as_deref().map(|short| ("/short".to_owned(), short)));
        pieces.extend(self.mjml.as_deref().map(|mjml| ("/mjml".to_owned(), mjml)));
        pieces
    }

    /// What it has to be given, by name; `order.address` where it looks into something.
    ///
    /// # Errors
    /// When a piece cannot be read, or there is too much of it.
    pub fn wants(&self) -> Result<BTreeSet<String>, TemplateError> {
        if self.lines.len() > LINES_MAX {
            return Err(TemplateError::TooLong { piece: "/lines".to_owned(), bytes_max: LINES_MAX });
        }
        let environment = environment(AutoEscape::None);
        let mut wants = BTreeSet::new();
        for (piece, text) in self.pieces() {
            if text.len() > PIECE_BYTES_MAX {
                return Err(TemplateError::TooLong { piece, bytes_max: PIECE_BYTES_MAX });
            }
            let template = environment
                .template_from_str(text)
                .map_err(|error| TemplateError::Unreadable { piece: piece.clone(), said: said(&error) })?;
            let named = template.undeclared_variables(true);
            let is_ours = |name: &String| {
                let first = name.split('.').next().unwrap_or_default();
                FUNCTIONS.contains(&first) || (piece == "/mjml" && OF_THE_FRAME.contains(&first))
            };
            wants.extend(named.into_iter().filter(|name| !is_ours(name)));
        }
        self.framed()?;
        Ok(wants)
    }

    /// The variables that `given` lacks, all of them.
    ///
    /// # Errors
    /// When a piece cannot be read.
    pub fn missing(&self, given: &Map<String, Value>) -> Result<Vec<String>, TemplateError> {
        Ok(self.wants()?.into_iter().filter(|name| !has(given, name)).collect())
    }

    /// Fills it in. `unsubscribe` is what the link says and where it leads.
    ///
    /// # Errors
    /// When a variable is missing, or a piece does not work with those given. Then nothing is filled in.
    pub fn render(
        &self,
        given: &Map<String, Value>,
        unsubscribe: Option<(&str, &str)>,
    ) -> Result<Rendered, TemplateError> {
        let missing = self.missing(given)?;
        if !missing.is_empty() {
            return Err(TemplateError::Missing(missing));
        }
        let plain = environment(AutoEscape::None);
        let variables = Filled::from(Serde(given));
        let fill = |piece: &str, text: &str| fill(&plain, piece, text, &variables);
        let subject = one_line(&fill("/subject", &self.subject)?);
        let lines: Vec<String> = self
            .lines
            .iter()
            .enumerate()
            .map(|(at, line)| fill(&format!("/lines/{at}"), line).map(|line| line.trim().to_owned()))
            .filter(|line| !line.as_ref().is_ok_and(String::is_empty))
            .collect::<Result<_, _>>()?;
        let button = match &self.button {
            None => None,
            Some(button) => Some(Button {
                label: one_line(&fill("/button/label", &button.label)?),
                url: address(&fill("/button/url", &button.url)?)?,
            }),
        };
        let short = match (&self.short, &button) {
            (Some(short), _) => fill("/short", short)?.trim().to_owned(),
            (None, Some(button)) => format!("{subject} {}", button.url),
            (None, None) => subject.clone(),
        };
        let html = self.html(given, &subject, &lines, button.as_ref(), unsubscribe)?;
        Ok(Rendered { subject, lines, button, short, html })
    }

    fn html(
        &self,
        given: &Map<String, Value>,
        subject: &str,
        lines: &[String],
        button: Option<&Button>,
        unsubscribe: Option<(&str, &str)>,
    ) -> Result<String, TemplateError> {
        let mut names = given.clone();
        let own = json!({
            "subject": subject,
            "lines": lines,
            "button": button,
            "unsubscribe": unsubscribe.map(|(_, url)| url),
            "unsubscribe_label": unsubscribe.map(|(label, _)| label),
        });
        names.extend(own.as_object().cloned().unwrap_or_default());
        let filled =
            fill(&environment(AutoEscape::Html), "/mjml", &self.framed()?, &Filled::from(Serde(&names)))?;
        // A slash is escaped as well, which is right, and more than some programs that look for links understand.
        Ok(filled.replace("&#x2f;", "/"))
    }

    /// The frame as HTML, with its names still in it.
    fn framed(&self) -> Result<String, TemplateError> {
        let unreadable = |said: String| TemplateError::Unreadable { piece: "/mjml".to_owned(), said };
        let parsed = mrml::parse(frame(self.button.is_some(), self.mjml.as_deref()))
            .map_err(|error| unreadable(error.to_string()))?;
        parsed
            .element
            .render(&mrml::prelude::render::RenderOptions::default())
            .map_err(|error| unreadable(error.to_string()))
    }
}

fn environment(escape: AutoEscape) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.set_auto_escape_callback(move |_| escape.clone());
    environment
}

fn fill(
    environment: &Environment<'_>,
    piece: &str,
    text: &str,
    variables: &Filled,
) -> Result<String, TemplateError> {
    let failed =
        |error: &minijinja::Error| TemplateError::Failed { piece: piece.to_owned(), said: said(error) };
    let template = environment.template_from_str(text).map_err(|error| failed(&error))?;
    let filled = template.render(variables.clone()).map_err(|error| failed(&error))?;
    if filled.len() > RENDERED_BYTES_MAX {
        return Err(TemplateError::TooLong { piece: piece.to_owned(), bytes_max: RENDERED_BYTES_MAX });
    }
    Ok(filled)
}

fn said(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), |detail| format!("{}: {detail}", error.kind()))
}

/// Whether `given` has what is called `name`, step by step.
fn has(given: &Map<String, Value>, name: &str) -> bool {
    let mut steps = name.split('.');
    let first = steps.next().and_then(|step| given.get(step));
    steps.try_fold(first, |at, step| at.map(|at| at.get(step))).flatten().is_some()
}

/// Without line breaks, which could begin another header, and not too long.
fn one_line(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(SUBJECT_CHARS_MAX).collect()
}

/// An address that a button may lead to: nothing that a program would run.
fn address(filled: &str) -> Result<String, TemplateError> {
    let url = filled.trim();
    let is_web = ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme));
    if is_web && !url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Ok(url.to_owned());
    }
    let said = "an address begins with https:// and has no spaces".to_owned();
    Err(TemplateError::Failed { piece: "/button/url".to_owned(), said })
}

#[cfg(test)]
mod tests;
