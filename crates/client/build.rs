//! Writes the types and operations of the API from its own description, `openapi.json`. A test of `api` holds that file
//! against what is served; what the description leaves open, or says in a way that is not known here, stops the build.

#[path = "build/operations.rs"]
mod operations;
#[path = "build/schemas.rs"]
mod schemas;

use std::{env, error::Error, fs, path::PathBuf};

use serde_json::Value;

/// Why the client could not be written.
type Wrong = Box<dyn Error>;

fn main() -> Result<(), Wrong> {
    println!("cargo:rerun-if-changed=openapi.json");
    println!("cargo:rerun-if-changed=build");
    let document: Value = serde_json::from_str(&fs::read_to_string("openapi.json")?)?;
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(folder.join("types.rs"), schemas::write(&document)?)?;
    fs::write(folder.join("operations.rs"), operations::write(&document)?)?;
    Ok(())
}

/// The members of an object of the description; none when it is not there.
fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The items of an array of the description; none when it is not there.
fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `text` as documentation, `indent` deep.
fn documentation(text: &str, indent: &str) -> String {
    text.lines().map(|line| format!("{indent}/// {line}").trim_end().to_owned() + "\n").collect()
}
