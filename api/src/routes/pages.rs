//! The description for machines, and the same for people: pages that need no script and nothing from elsewhere.

use std::fmt::Write as _;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde_json::Value;

use super::curls::curl;
use crate::{AppState, openapi::document, problem::Code};

const STYLE: &str = include_str!("docs.css");
const CSP: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const CACHE: &str = "public, max-age=300";

/// The OpenAPI 3.1 document.
pub(crate) async fn openapi_json() -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    ([kind, (header::CACHE_CONTROL, HeaderValue::from_static(CACHE))], document().to_string()).into_response()
}

/// How the pages look.
pub(crate) async fn style() -> Response {
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    ([kind, (header::CACHE_CONTROL, HeaderValue::from_static(CACHE))], STYLE).into_response()
}

/// Every endpoint, with a `curl` to try it.
pub(crate) async fn docs(State(app): State<AppState>) -> Response {
    page("API", &reference(&app.settings.public_url, &document()))
}

/// Every problem code and what to do about it.
pub(crate) async fn problems() -> Response {
    let mut body = "<h1>Problems</h1><p>Every error is an RFC 9457 document, <code>application/problem+json</code>, with one of these codes. \
        <code>detail</code> says what to change this time, <code>errors</code> points at fields, <code>instance</code> names the request. \
        The codes are stable; the sentences are not.</p><table><thead><tr><th>Code</th><th>Status</th><th>What it is and what to do</th></tr></thead><tbody>"
        .to_owned();
    for code in Code::ALL {
        let _ = write!(
            body,
            "<tr id=\"{word}\"><td><code><a href=\"#{word}\">{word}</a></code></td><td>{status}</td><td><strong>{title}.</strong> {advice}</td></tr>",
            word = code.word(),
            status = code.status().as_u16(),
            title = escape(code.title()),
            advice = marked(code.advice()),
        );
    }
    body.push_str("</tbody></table>");
    page("Problems", &body)
}

fn page(title: &str, body: &str) -> Response {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
        <meta name=\"color-scheme\" content=\"light dark\"><title>{title} · Crewline</title><link rel=\"stylesheet\" href=\"/docs/style.css\"></head>\
        <body><header><a href=\"/docs\">Crewline API</a><nav><a href=\"/docs#kinds\">Kinds</a> <a href=\"/docs/problems\">Problems</a> \
        <a href=\"/openapi.json\">OpenAPI</a></nav></header><main>{body}</main></body></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CACHE_CONTROL, HeaderValue::from_static(CACHE)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP)),
    ];
    (headers, html).into_response()
}

fn reference(base: &str, document: &Value) -> String {
    let mut body = format!(
        "<h1>API</h1><p>JSON over HTTP. Every call under <code>/v1</code> carries a key: <code>Authorization: Bearer crw_…</code>. \
        The examples read it from <code>$CREWLINE_KEY</code>.</p>{}",
        shell(&format!(
            "curl -H \"Authorization: Bearer $CREWLINE_KEY\" -H \"Idempotency-Key: order-1017\" \\\n  -H 'Prefer: wait=10' --json '{{\"kind\":\"probe.work\",\"args\":{{\"echo\":\"hello\"}}}}' {base}/v1/jobs"
        )),
    );
    body.push_str(RULES);
    for tag in document["tags"].as_array().into_iter().flatten() {
        let name = tag["name"].as_str().unwrap_or_default();
        let about = escape(tag["description"].as_str().unwrap_or_default());
        let _ = write!(body, "<h2>{}</h2><p>{about}.</p>", escape(name));
        for (path, methods) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in methods.as_object().into_iter().flatten() {
                if operation["tags"][0] == name {
                    endpoint(&mut body, base, path, method, (operation, document));
                }
            }
        }
    }
    kinds(&mut body);
    body
}

const RULES: &str = "<h2>Rules that hold everywhere</h2><ul>\
    <li><strong>Retries.</strong> A POST that submits jobs carries an <code>Idempotency-Key</code>. Send the same key with the same body again and you get the same answer, marked <code>Idempotent-Replayed: true</code>, for 24 hours. Another body is a 422.</li>\
    <li><strong>Waiting.</strong> <code>Prefer: wait=N</code> on POST /v1/jobs answers with the finished job if it ends within N seconds, at most 30.</li>\
    <li><strong>Errors.</strong> Always a problem with a stable <code>code</code>: <a href=\"/docs/problems\">the table</a>.</li>\
    <li><strong>Rate.</strong> <code>RateLimit</code> says how many requests are left, <code>RateLimit-Policy</code> how many there are. A 429 says <code>Retry-After</code>.</li>\
    <li><strong>Lists.</strong> Newest first; follow <code>next</code> or the <code>Link</code> header until there is none.</li>\
    <li><strong>Events.</strong> Server-sent events resume from <code>Last-Event-ID</code>. A stream ends after an hour, and when a server stops; come back.</li>\
    <li><strong>Requests.</strong> <code>X-Request-Id</code> is echoed or made; <code>traceparent</code> goes with the job to its worker.</li></ul>";

fn endpoint(
    body: &mut String,
    base: &str,
    path: &str,
    method: &str,
    (operation, document): (&Value, &Value),
) {
    let text = |name: &str| operation[name].as_str().unwrap_or_default();
    let (id, method) = (text("operationId"), method.to_uppercase());
    let _ = write!(
        body,
        "<section id=\"{id}\"><h3><a href=\"#{id}\"><code>{method} {}</code></a></h3><p><strong>{}</strong> {}</p>",
        escape(path),
        escape(text("summary")),
        marked(text("description")),
    );
    let scopes = operation["security"].as_array().into_iter().flatten();
    let all_of = |one: &Value| {
        let names: Vec<&str> =
            one["api_key"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        (!names.is_empty()).then(|| names.join("</code> and <code>"))
    };
    let scopes: Vec<String> = scopes.filter_map(all_of).collect();
    if !scopes.is_empty() {
        let _ =
            write!(body, "<p class=\"scope\">Scope: <code>{}</code></p>", scopes.join("</code> or <code>"));
    }
    body.push_str("<ul>");
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let of = |name: &str| parameter[name].as_str().unwrap_or_default();
        let _ = write!(
            body,
            "<li><code>{}</code> <small>{}</small> {}</li>",
            of("name"),
            of("in"),
            marked(of("description"))
        );
    }
    for (status, answer) in operation["responses"].as_object().into_iter().flatten() {
        let about = marked(answer["description"].as_str().unwrap_or_default());
        let _ = write!(body, "<li><strong>{status}</strong> {about}</li>");
    }
    let _ = write!(body, "</ul>{}</section>", shell(&curl(base, path, &method, operation, document)));
}

fn kinds(body: &mut String) {
    body.push_str("<h2 id=\"kinds\">Kinds of work</h2>");
    for spec in ::jobs::specs() {
        let _ = write!(
            body,
            "<section id=\"{kind}\"><h3><a href=\"#{kind}\"><code>{kind}</code></a></h3><p>{summary}. Runs in <code>{queue}</code>, \
            up to {attempts} attempts of {timeout} s.</p>{example}<details><summary>Arguments</summary><pre>{args}</pre></details>\
            <details><summary>Result</summary><pre>{result}</pre></details></section>",
            kind = spec.kind,
            summary = escape(spec.summary),
            queue = spec.queue,
            attempts = spec.policy.max_attempts,
            timeout = spec.policy.timeout_s,
            example = shell(&format!("{:#}", spec.example)),
            args = escape(&format!("{:#}", spec.args_schema)),
            result = escape(&format!("{:#}", spec.result_schema)),
        );
    }
}

fn shell(text: &str) -> String {
    format!("<pre tabindex=\"0\">{}</pre>", escape(text))
}

/// Text with its `code` marked.
fn marked(text: &str) -> String {
    let mut html = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(html, "<code>{}</code>", escape(part));
        } else {
            html.push_str(&escape(part));
        }
    }
    html
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{escape, marked};

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        assert_eq!(escape("<b a=\"1\">&"), "&lt;b a=&quot;1&quot;&gt;&amp;");
        assert_eq!(marked("send `<key>` & go"), "send <code>&lt;key&gt;</code> &amp; go");
    }
}
