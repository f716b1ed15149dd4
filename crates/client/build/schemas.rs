//! Rust types for the schemas of the description.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{Wrong, documentation, items, members};

/// What may be anything.
const ANYTHING: &str = "::serde_json::Value";
/// Names of members that Rust keeps for itself.
const KEYWORDS: [&str; 8] = ["as", "for", "in", "match", "move", "ref", "type", "where"];

/// Every schema of `document` as an item.
pub(crate) fn write(document: &Value) -> Result<String, Wrong> {
    let mut types = Types { document, items: String::new() };
    for (name, schema) in members(&document["components"]["schemas"]).filter(|(name, _)| is_type(name)) {
        types.item(name, schema)?;
    }
    Ok(types.items)
}

/// Arguments and results of kinds have schemas too, named `kind.args`; their types are the kinds' own.
fn is_type(name: &str) -> bool {
    !name.contains('.')
}

/// Rust for a schema that needs no item of its own.
pub(crate) fn plain(document: &Value, schema: &Value) -> Result<String, Wrong> {
    let mut types = Types { document, items: String::new() };
    let written = types.rust(schema, "")?;
    if types.items.is_empty() { Ok(written) } else { Err(format!("{schema} should have a name").into()) }
}

/// The members of an object: name, schema, and whether it is always there.
pub(crate) type Fields<'a> = Vec<(&'a String, &'a Value, bool)>;

/// The members of `schema`, with those of what it is put together from; none when it is no object with members.
pub(crate) fn fields<'a>(document: &'a Value, schema: &'a Value) -> Fields<'a> {
    let schema = resolve(document, schema);
    let mut found: Fields<'a> = items(&schema["allOf"]).flat_map(|part| fields(document, part)).collect();
    let required: Vec<&Value> = items(&schema["required"]).collect();
    for (name, member) in members(&schema["properties"]) {
        let is_required = required.iter().any(|required| *required == name);
        found.push((name, member, is_required && !is_nullable(member)));
    }
    found
}

/// The schema that `schema` points to.
pub(crate) fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema["$ref"].as_str().and_then(|reference| reference.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}

fn is_null(schema: &Value) -> bool {
    schema["type"] == "null"
}

fn is_nullable(schema: &Value) -> bool {
    ["oneOf", "anyOf"].iter().any(|key| items(&schema[key]).any(is_null))
        || items(&schema["type"]).any(|word| word == "null")
}

struct Types<'a> {
    document: &'a Value,
    items: String,
}

impl Types<'_> {
    fn item(&mut self, name: &str, schema: &Value) -> Result<(), Wrong> {
        let said = schema["description"].as_str().unwrap_or(name);
        let fields = fields(self.document, schema);
        let item = if schema["enum"].is_array() {
            words(name, schema)?
        } else if fields.is_empty() {
            format!("pub type {name} = {};\n", self.rust(schema, name)?)
        } else {
            self.structure(name, &fields)?
        };
        writeln!(self.items, "{}{item}", documentation(said, ""))?;
        Ok(())
    }

    fn structure(&mut self, name: &str, fields: &Fields) -> Result<String, Wrong> {
        // What has to name something else has nothing to begin with.
        let has_default =
            !fields.iter().any(|(_, schema, is_required)| *is_required && !schema["$ref"].is_null());
        let default = if has_default { ", Default" } else { "" };
        let mut out = format!(
            "#[derive(Debug, Clone, PartialEq, ::serde::Serialize, ::serde::Deserialize{default})]\n"
        );
        writeln!(out, "pub struct {name} {{")?;
        for (member, schema, is_required) in fields {
            let hint = format!("{name}{}", camel(member));
            let kind = self.rust(schema, &hint)?;
            out += &documentation(schema["description"].as_str().unwrap_or(member), "    ");
            if *is_required {
                writeln!(out, "    pub {}: {kind},", identifier(member)?)?;
            } else {
                let kind = if is_nullable(schema) { kind } else { optional(&kind) };
                out += "    #[serde(default, skip_serializing_if = \"Option::is_none\")]\n";
                writeln!(out, "    pub {}: {kind},", identifier(member)?)?;
            }
        }
        out += "}\n";
        Ok(out)
    }

    /// The type of what `schema` describes; an object that has no name yet gets `hint`.
    fn rust(&mut self, schema: &Value, hint: &str) -> Result<String, Wrong> {
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.rsplit('/').next().unwrap_or_default();
            return Ok(if is_type(name) { format!("super::types::{name}") } else { ANYTHING.to_owned() });
        }
        for key in ["oneOf", "anyOf", "allOf"] {
            let real: Vec<&Value> = items(&schema[key]).filter(|schema| !is_null(schema)).collect();
            match real[..] {
                [] => {}
                [one] => {
                    let kind = self.rust(one, hint)?;
                    return Ok(if is_nullable(schema) { optional(&kind) } else { kind });
                }
                _ => return Ok(ANYTHING.to_owned()),
            }
        }
        let words: Vec<&str> = match &schema["type"] {
            Value::String(word) => vec![word],
            words => items(words).filter_map(Value::as_str).filter(|word| *word != "null").collect(),
        };
        let [word] = words[..] else { return Ok(ANYTHING.to_owned()) };
        let kind = match word {
            "boolean" => "bool".to_owned(),
            "integer" => "i64".to_owned(),
            "number" => "f64".to_owned(),
            "string" if schema["format"] == "date-time" => "::chrono::DateTime<::chrono::Utc>".to_owned(),
            "string" => "::std::string::String".to_owned(),
            "array" => format!("::std::vec::Vec<{}>", self.rust(&schema["items"], &format!("{hint}Item"))?),
            "object" => self.object(schema, hint)?,
            other => return Err(format!("{hint}: the type {other} is not known").into()),
        };
        Ok(if is_nullable(schema) { optional(&kind) } else { kind })
    }

    fn object(&mut self, schema: &Value, hint: &str) -> Result<String, Wrong> {
        if schema["properties"].is_object() {
            self.item(hint, schema)?;
            return Ok(format!("super::types::{hint}"));
        }
        if schema["additionalProperties"].is_object() {
            let kind = self.rust(&schema["additionalProperties"], &format!("{hint}Value"))?;
            return Ok(format!("::std::collections::BTreeMap<::std::string::String, {kind}>"));
        }
        Ok(ANYTHING.to_owned())
    }
}

/// One of several words.
fn words(name: &str, schema: &Value) -> Result<String, Wrong> {
    let mut out =
        "#[derive(Debug, Clone, Copy, PartialEq, Eq, ::serde::Serialize, ::serde::Deserialize)]\n".to_owned();
    writeln!(out, "pub enum {name} {{")?;
    for word in items(&schema["enum"]) {
        let word = word.as_str().ok_or_else(|| format!("{name} has a word that is none"))?;
        writeln!(out, "    /// `{word}`.\n    #[serde(rename = \"{word}\")]\n    {},", camel(word))?;
    }
    out += "}\n";
    Ok(out)
}

fn optional(kind: &str) -> String {
    format!("::std::option::Option<{kind}>")
}

/// `max_attempts` as `MaxAttempts`.
pub(crate) fn camel(name: &str) -> String {
    let capital = |part: &str| {
        let mut letters = part.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>())
    };
    name.split(['_', '-', '.', ' ']).filter_map(capital).collect()
}

/// `name` as Rust writes it.
pub(crate) fn identifier(name: &str) -> Result<String, Wrong> {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !name.bytes().all(is_plain) || name.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(format!("{name:?} is no name in Rust").into());
    }
    Ok(if KEYWORDS.contains(&name) { format!("r#{name}") } else { name.to_owned() })
}
