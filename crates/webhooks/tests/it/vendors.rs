//! The libraries of those who send webhooks, asked by the hundred: a process for each language, a line of questions in, a
//! line of answers out.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::told::Told;

/// A language that vendors write libraries for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Language {
    Node,
    Python,
}

impl Language {
    pub(crate) const ALL: [Self; 2] = [Self::Node, Self::Python];

    /// The libraries that both sign and check.
    pub(crate) const fn sdks(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["stripe", "twilio", "standard", "svix"],
            Self::Python => &["stripe", "twilio", "standard"],
        }
    }

    /// Those of the standard that we send by.
    pub(crate) const fn receivers(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["standard", "svix"],
            Self::Python => &["standard"],
        }
    }
}

/// The libraries of one language, running.
pub(crate) struct Vendors {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Vendors {
    /// Starts them, and fetches them first where nobody has.
    pub(crate) fn start(language: Language) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let fetched = Command::new(root.join("dev.d/vendors.sh")).stdout(Stdio::null()).status().unwrap();
        assert!(fetched.success(), "npm or pip did not get the libraries; dev.d/vendors.sh says why");
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vendors");
        let (program, arguments): (PathBuf, _) = match language {
            Language::Node => {
                ("node".into(), vec![programs.join("node/sdk.mjs"), root.join(".dev/vendors/node")])
            }
            Language::Python => {
                (root.join(".dev/vendors/python/bin/python"), vec![programs.join("python/sdk.py")])
            }
        };
        let mut process = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("./dev test installs nodejs, npm and python3-venv");
        let questions = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self { process, questions, answers }
    }

    fn ask(&mut self, questions: &[Value]) -> Vec<Value> {
        writeln!(self.questions, "{}", Value::from(questions)).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        let answers: Vec<Value> = serde_json::from_str(&line).unwrap();
        assert_eq!(answers.len(), questions.len());
        answers
    }

    /// Signs each of `messages` with the library it is for.
    pub(crate) fn sign(&mut self, messages: Vec<(&'static str, Told)>) -> Vec<(&'static str, Told)> {
        let questions: Vec<Value> = messages.iter().map(|(sdk, told)| question("sign", sdk, told)).collect();
        let signed = self.ask(&questions).into_iter().zip(messages).map(|(answer, (sdk, mut told))| {
            let headers = answer["headers"].as_object().unwrap();
            told.headers =
                headers.iter().map(|(name, value)| (name.clone(), text(value).to_owned())).collect();
            (sdk, told)
        });
        signed.collect()
    }

    /// What each library says of each of `messages`: nothing when it believes it.
    pub(crate) fn judge(&mut self, messages: &[(&'static str, Told)]) -> Vec<Result<(), String>> {
        let questions: Vec<Value> =
            messages.iter().map(|(sdk, told)| question("verify", sdk, told)).collect();
        let verdict = |answer: Value| {
            if answer["accepted"] == true { Ok(()) } else { Err(text(&answer["said"]).to_owned()) }
        };
        self.ask(&questions).into_iter().map(verdict).collect()
    }
}

impl Drop for Vendors {
    fn drop(&mut self) {
        // It may be gone already, which is what was wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn question(what: &str, sdk: &str, told: &Told) -> Value {
    let headers: serde_json::Map<String, Value> =
        told.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "do": what, "sdk": sdk, "secret": told.secrets.first(), "url": told.url, "headers": headers,
        "body": std::str::from_utf8(&told.body).unwrap(), "id": "msg_1", "at_s": told.now_s,
        "certificate": told.certificate.as_deref().map(|pem| std::str::from_utf8(pem).unwrap()),
    })
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}
