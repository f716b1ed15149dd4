//! The one list of kinds, and what can be asked of it without knowing the types.

use std::sync::LazyLock;

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::{Invalid, Job, Policy, Queue, Unique, limits::ARGS_BYTES_MAX};

/// Applies a macro to the type of every kind. `jobs` builds its specs from it, `workers` its registry, tests their
/// cases. A new kind is one line here.
#[macro_export]
macro_rules! for_each_kind {
    ($apply:ident) => {
        $apply! {
            $crate::kinds::media_rendition::MediaRendition,
            $crate::kinds::probe_work::ProbeWork,
        }
    };
}

/// Everything about a kind that is not its handler.
pub struct KindSpec {
    /// `family.thing`.
    pub kind: &'static str,
    /// Version of the arguments.
    pub version: u16,
    /// One line for people.
    pub summary: &'static str,
    /// Where it runs.
    pub queue: Queue,
    /// How often, how long, how soon again.
    pub policy: Policy,
    /// JSON Schema (2020-12) of the arguments.
    pub args_schema: Value,
    /// JSON Schema (2020-12) of the result.
    pub result_schema: Value,
    /// Arguments that work.
    pub example: Value,
    parse: fn(&Value) -> Result<Parsed, Invalid>,
}

/// Arguments that passed their kind's checks, with defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// As they go into the row.
    pub args: Value,
    /// When two jobs are the same work.
    pub unique: Option<Unique>,
    /// What it uses that others use too.
    pub concurrency_key: Option<String>,
}

macro_rules! build_specs {
    ($($kind:ty),+ $(,)?) => {
        vec![$(spec_of::<$kind>()),+]
    };
}

static SPECS: LazyLock<Vec<KindSpec>> = LazyLock::new(|| for_each_kind!(build_specs));

macro_rules! assert_unique {
    ($($kind:ty),+ $(,)?) => {
        const _: () = {
            let names = [$(<$kind as Job>::KIND),+];
            let mut i = 0;
            while i < names.len() {
                let mut j = i + 1;
                while j < names.len() {
                    assert!(!same(names[i], names[j]), "two kinds share one name");
                    j += 1;
                }
                i += 1;
            }
        };
    };
}

const fn same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

for_each_kind!(assert_unique);

/// Every kind, in catalogue order.
pub fn specs() -> &'static [KindSpec] {
    &SPECS
}

/// The kind called `kind`.
pub fn spec(kind: &str) -> Option<&'static KindSpec> {
    SPECS.iter().find(|spec| spec.kind == kind)
}

/// Checks `args` against their kind: size, shape, unknown fields, and the kind's own rules.
///
/// # Errors
/// Names the offending field by JSON Pointer.
pub fn parse(spec: &KindSpec, args: &Value) -> Result<Parsed, Invalid> {
    (spec.parse)(args)
}

fn spec_of<K: Job>() -> KindSpec {
    KindSpec {
        kind: K::KIND,
        version: K::VERSION,
        summary: K::SUMMARY,
        queue: K::QUEUE,
        policy: K::POLICY,
        args_schema: schema_of::<K>(&format!("{}.args.v{}", K::KIND, K::VERSION)),
        result_schema: schema_of::<K::Output>(&format!("{}.result.v{}", K::KIND, K::VERSION)),
        example: serde_json::to_value(K::example()).unwrap_or_default(),
        parse: parse_as::<K>,
    }
}

fn schema_of<T: schemars::JsonSchema>(id: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$id".to_owned(), Value::String(format!("urn:crewline:{id}")));
    }
    schema
}

fn parse_as<K: Job>(args: &Value) -> Result<Parsed, Invalid> {
    let job: K = serde_path_to_error::deserialize(args)
        .map_err(|error| Invalid::new(pointer(error.path()), error.inner().to_string()))?;
    job.check()?;
    let args = serde_json::to_value(&job).map_err(|error| Invalid::new("", error.to_string()))?;
    Invalid::unless(args.to_string().len() <= ARGS_BYTES_MAX, "", "arguments take at most 65536 bytes")?;
    Ok(Parsed { args, unique: job.unique(), concurrency_key: job.concurrency_key() })
}

/// A path of serde as a JSON Pointer (RFC 6901).
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! round_trips {
        ($($kind:ty),+ $(,)?) => {$({
            let example = serde_json::to_value(<$kind as Job>::example()).unwrap();
            let spec = spec(<$kind as Job>::KIND).unwrap();
            let parsed = parse(spec, &example).unwrap();
            assert_eq!(parsed.args, example, "{} does not round-trip", spec.kind);

            let mut unknown = example.clone();
            unknown["surprise"] = Value::Bool(true);
            let refused = parse(spec, &unknown).unwrap_err();
            assert!(refused.reason.contains("unknown field"), "{}: {refused}", spec.kind);

            assert!(parse(spec, &Value::String("args".into())).is_err());
            assert!(spec.policy.max_attempts >= 1 && spec.policy.timeout_s >= 1);
            if let Some(unique) = parsed.unique {
                assert!(unique.key.len() <= 200, "{}: unique key too long", spec.kind);
            }
        })+};
    }

    #[test]
    fn every_kind_round_trips_and_refuses_unknown_fields() {
        for_each_kind!(round_trips);
    }

    #[test]
    fn kinds_are_named_family_dot_thing() {
        for spec in specs() {
            let parts: Vec<_> = spec.kind.split('.').collect();
            assert!(parts.len() == 2 && parts.iter().all(|part| !part.is_empty()), "{}", spec.kind);
            assert!(
                spec.kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_'),
                "{}",
                spec.kind
            );
        }
    }

    #[test]
    fn a_wrong_argument_is_pointed_at() {
        let spec = spec("probe.work").unwrap();
        let refused =
            parse(spec, &serde_json::json!({"endings": ["complete", {"snooze": "soon"}]})).unwrap_err();
        assert_eq!(refused.pointer, "/endings/1/snooze");
        assert_eq!(parse(spec, &serde_json::json!({"work_ms": 600_001})).unwrap_err().pointer, "/work_ms");
    }
}
