//! A method for each operation of the description.

use std::{collections::BTreeSet, fmt::Write as _};

use serde_json::Value;

use crate::{
    Wrong, documentation, items, members,
    schemas::{camel, fields, identifier, plain, resolve},
};

/// The schema of what has none.
static NOTHING: Value = Value::Null;
const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];

/// Every operation of `document`, and what they are asked with.
pub(crate) fn write(document: &Value) -> Result<String, Wrong> {
    let (mut structs, mut methods, mut paged) = (String::new(), String::new(), BTreeSet::new());
    for (path, all) in members(&document["paths"]) {
        for method in METHODS.iter().filter(|method| all[**method].is_object()) {
            let operation = Operation::read(document, method, path, &all[*method])?;
            structs += &operation.query_struct()?;
            methods += &operation.method()?;
            if let Some(page) = operation.page() {
                methods += &operation.all(&page)?;
                if paged.insert(page.name.clone()) {
                    structs += &page.implementation()?;
                }
            }
        }
    }
    Ok(format!("{structs}impl crate::Client {{\n{methods}}}\n"))
}

/// What an operation is answered with.
enum Answer {
    Nothing,
    Json(String),
    /// Some of its answers have a body, and some have none.
    Perhaps(String),
    Text,
    Events,
    /// The address of what was asked for.
    Place,
}

enum Body {
    Json(String),
    Bytes,
}

/// A parameter of the query: name, type, whether it has to be there, what it is.
type Param<'a> = (&'a str, String, bool, &'a str);

struct Operation<'a> {
    document: &'a Value,
    id: &'a str,
    method: &'a str,
    path: &'a str,
    said: String,
    /// Names and types of what stands in the path.
    places: Vec<(&'a str, &'static str)>,
    query: Vec<Param<'a>>,
    headers: BTreeSet<&'a str>,
    body: Option<Body>,
    answer: Answer,
    /// The schema of its answer.
    schema: &'a Value,
}

/// What comes page by page.
struct Page<'a> {
    name: String,
    /// The member that holds the items, and their type.
    list: &'a str,
    item: String,
}

impl<'a> Operation<'a> {
    fn read(
        document: &'a Value,
        method: &'a str,
        path: &'a str,
        operation: &'a Value,
    ) -> Result<Self, Wrong> {
        let id = operation["operationId"].as_str().ok_or_else(|| format!("{method} {path} has no name"))?;
        let said = [&operation["summary"], &operation["description"]];
        let said: Vec<&str> = said.into_iter().filter_map(Value::as_str).collect();
        let (answer, schema) =
            answer(document, &operation["responses"]).map_err(|wrong| format!("{id}: {wrong}"))?;
        let mut read = Self {
            document,
            id,
            method,
            path,
            said: format!("{}\n\n`{} {path}`", said.join("\n\n"), method.to_uppercase()),
            places: Vec::new(),
            query: Vec::new(),
            headers: BTreeSet::new(),
            body: body(document, &operation["requestBody"]).map_err(|wrong| format!("{id}: {wrong}"))?,
            answer,
            schema,
        };
        for param in items(&operation["parameters"]) {
            read.param(param)?;
        }
        Ok(read)
    }

    fn param(&mut self, param: &'a Value) -> Result<(), Wrong> {
        let (name, place) =
            (param["name"].as_str().unwrap_or_default(), param["in"].as_str().unwrap_or_default());
        let kind = plain(self.document, &param["schema"])?;
        match place {
            "path" if !self.path.contains(&format!("{{{name}}}")) => {
                return Err(format!("{}: its path has no place for {name}", self.id).into());
            }
            "path" if kind == "i64" => self.places.push((name, "i64")),
            "path" => self.places.push((name, "&str")),
            "query" => {
                let kind = kind
                    .strip_prefix("::std::option::Option<")
                    .map_or(kind.as_str(), |rest| &rest[..rest.len() - 1]);
                let is_required = param["required"] == true;
                self.query.push((
                    name,
                    kind.to_owned(),
                    is_required,
                    param["description"].as_str().unwrap_or(name),
                ));
            }
            "header" if ["Idempotency-Key", "Prefer", "Last-Event-ID"].contains(&name) => {
                self.headers.insert(name);
            }
            _ => {
                return Err(format!(
                    "{}: nobody knows what to do with the {place} parameter {name}",
                    self.id
                )
                .into());
            }
        }
        Ok(())
    }

    fn query_name(&self) -> String {
        format!("{}Query", camel(self.id))
    }

    /// What the query may say.
    fn query_struct(&self) -> Result<String, Wrong> {
        if self.query.is_empty() {
            return Ok(String::new());
        }
        let name = self.query_name();
        let (mut out, mut pairs) =
            (format!("/// What [`crate::Client::{}`] may be asked with.\n", self.id), String::new());
        writeln!(out, "#[derive(Debug, Clone, Default)]\npub struct {name} {{")?;
        for (name, kind, is_required, said) in &self.query {
            let field = identifier(name)?;
            out += &documentation(said, "    ");
            if *is_required {
                writeln!(out, "    pub {field}: {kind},")?;
                writeln!(pairs, "        pairs.push((\"{name}\", crate::ask::written(&self.{field})));")?;
            } else {
                writeln!(out, "    pub {field}: ::std::option::Option<{kind}>,")?;
                writeln!(
                    pairs,
                    "        pairs.extend(self.{field}.as_ref().map(|value| (\"{name}\", crate::ask::written(value))));"
                )?;
            }
        }
        writeln!(
            out,
            "}}\n\nimpl {name} {{\n    fn pairs(&self) -> ::std::vec::Vec<(&'static str, ::std::string::String)> {{"
        )?;
        writeln!(out, "        let mut pairs = ::std::vec::Vec::new();\n{pairs}        pairs\n    }}\n}}\n")?;
        Ok(out)
    }

    /// Its arguments after `&self`, as they are declared.
    fn arguments(&self) -> Result<String, Wrong> {
        let mut out = String::new();
        for (name, kind) in &self.places {
            write!(out, ", {}: {kind}", identifier(name)?)?;
        }
        if !self.query.is_empty() {
            write!(out, ", query: &{}", self.query_name())?;
        }
        match &self.body {
            Some(Body::Json(kind)) => write!(out, ", body: &{kind}")?,
            Some(Body::Bytes) => out += ", body: ::std::vec::Vec<u8>",
            None => {}
        }
        Ok(out)
    }

    fn method(&self) -> Result<String, Wrong> {
        let mut ask = format!(
            "crate::ask::Ask::new(::reqwest::Method::{}, \"{}\")",
            self.method.to_uppercase(),
            self.path
        );
        for (name, _) in &self.places {
            write!(ask, ".at(\"{name}\", {}.to_string())", identifier(name)?)?;
        }
        if !self.query.is_empty() {
            ask += ".query(query.pairs())";
        }
        ask += match &self.body {
            Some(Body::Json(_)) => ".json(body)?",
            Some(Body::Bytes) => ".bytes(body)",
            None => "",
        };
        if self.headers.contains("Idempotency-Key") {
            ask += ".keyed()";
        }
        if self.headers.contains("Prefer") {
            ask += ".waiting()";
        }
        let (ends, kind) = match &self.answer {
            Answer::Nothing => ("nothing", "()".to_owned()),
            Answer::Json(kind) => ("json", kind.clone()),
            Answer::Perhaps(kind) => ("perhaps", format!("::std::option::Option<{kind}>")),
            Answer::Text => ("text", "::std::string::String".to_owned()),
            Answer::Place => ("place", "::std::string::String".to_owned()),
            Answer::Events => ("events", String::new()),
        };
        let (said, id, arguments) = (documentation(&self.said, "    "), self.id, self.arguments()?);
        Ok(if matches!(self.answer, Answer::Events) {
            format!(
                "{said}    pub fn {id}(&self{arguments}) -> crate::Events {{\n        self.events({ask})\n    }}\n\n"
            )
        } else {
            format!(
                "{said}    pub async fn {id}(&self{arguments}) -> ::std::result::Result<{kind}, crate::Error> {{\n        self.{ends}({ask}).await\n    }}\n\n"
            )
        })
    }

    /// The page it answers, if it answers pages.
    fn page(&self) -> Option<Page<'a>> {
        let Answer::Json(name) = &self.answer else { return None };
        self.query.iter().find(|(name, ..)| *name == "cursor")?;
        let fields = fields(self.document, self.schema);
        fields.iter().find(|(name, ..)| *name == "next")?;
        let (list, schema, _) = fields.iter().find(|(_, schema, _)| schema["type"] == "array")?;
        let item = plain(self.document, &schema["items"]).ok()?;
        Some(Page { name: name.clone(), list, item })
    }

    /// The method that follows the pages to the last.
    fn all(&self, page: &Page) -> Result<String, Wrong> {
        let name = self.id.strip_prefix("list_").unwrap_or(self.id);
        let [mut declared, mut kept, mut passed, mut clones] = [const { String::new() }; 4];
        for (name, kind) in &self.places {
            let name = identifier(name)?;
            write!(declared, ", {name}: {kind}")?;
            writeln!(kept, "        let {name} = {name}.to_owned();")?;
            write!(passed, "&{name}, ")?;
            write!(clones, "let {name} = {name}.clone(); ")?;
        }
        let (query, id, item) = (self.query_name(), self.id, &page.item);
        Ok(format!(
            "    /// The same to the last page, one by one.\n    pub fn all_{name}(&self{declared}, query: {query}) -> impl ::futures::Stream<Item = ::std::result::Result<{item}, crate::Error>> + Send {{\n{kept}        let client = self.clone();\n        crate::pages::pages(move |cursor| {{\n            let query = {query} {{ cursor, ..query.clone() }};\n            let client = client.clone(); {clones}\n            async move {{ client.{id}({passed}&query).await }}\n        }})\n    }}\n\n"
        ))
    }
}

impl Page<'_> {
    fn implementation(&self) -> Result<String, Wrong> {
        let (name, item, list) = (&self.name, &self.item, identifier(self.list)?);
        Ok(format!(
            "impl crate::pages::Page for {name} {{\n    type Item = {item};\n\n    fn split(self) -> (::std::vec::Vec<{item}>, ::std::option::Option<::std::string::String>) {{\n        (self.{list}, self.next)\n    }}\n}}\n\n"
        ))
    }
}

/// What is sent, if something is.
fn body(document: &Value, body: &Value) -> Result<Option<Body>, Wrong> {
    if body.is_null() {
        return Ok(None);
    }
    if let Some(content) = body["content"].get("application/json") {
        return Ok(Some(Body::Json(plain(document, &content["schema"])?)));
    }
    if body["content"].get("application/octet-stream").is_some() {
        return Ok(Some(Body::Bytes));
    }
    Err(format!("nobody knows how to send {body}").into())
}

/// What comes back when all goes well, with its schema.
fn answer<'a>(document: &'a Value, responses: &'a Value) -> Result<(Answer, &'a Value), Wrong> {
    let good: Vec<&Value> = members(responses)
        .filter(|(status, _)| status.starts_with('2'))
        .map(|(_, response)| response)
        .collect();
    if good.is_empty() {
        return Ok((Answer::Place, &NOTHING));
    }
    let contents: Vec<(&String, &Value)> =
        good.iter().flat_map(|response| members(&response["content"])).collect();
    if contents.iter().any(|(kind, _)| *kind == "text/event-stream") {
        return Ok((Answer::Events, &NOTHING));
    }
    if contents.iter().any(|(kind, _)| *kind == "text/plain") {
        return Ok((Answer::Text, &NOTHING));
    }
    let kinds: Result<BTreeSet<String>, Wrong> =
        contents.iter().map(|(_, content)| plain(document, &content["schema"])).collect();
    let kinds = kinds?;
    let Some(kind) = kinds.first() else { return Ok((Answer::Nothing, &NOTHING)) };
    if kinds.len() > 1 {
        // Which of them it is shows in what it has.
        return Ok((Answer::Json("::serde_json::Value".to_owned()), &NOTHING));
    }
    let schema = contents.first().map_or(&NOTHING, |(_, content)| resolve(document, &content["schema"]));
    let answer =
        if contents.len() < good.len() { Answer::Perhaps(kind.clone()) } else { Answer::Json(kind.clone()) };
    Ok((answer, schema))
}
