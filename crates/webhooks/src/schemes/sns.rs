//! Amazon SNS, by which SES tells of bounces: chosen fields of the body, signed with RSA under a certificate whose address
//! the body names. The address has to be Amazon's; the caller fetches it.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use serde_json::Value;
use url::Url;
use x509_cert::{Certificate, der::DecodePem};

use crate::{incoming::Incoming, refusal::Refusal, verify::Trust};

/// What is signed of a notification, in this order.
const OF_NOTIFICATION: [&str; 6] = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"];
/// What is signed of the messages that begin and end a subscription.
const OF_SUBSCRIPTION: [&str; 7] =
    ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];

/// Where the certificate of a message is, if that is an address of Amazon's.
///
/// # Errors
/// When the body is none of SNS, or names an address elsewhere.
pub fn certificate_url(body: &[u8]) -> Result<String, Refusal> {
    let message = read(body)?;
    let url = text(&message, "SigningCertURL").ok_or(Refusal::Body("it names no certificate"))?;
    let url = Url::parse(url).map_err(|_| Refusal::ForeignCertificate)?;
    let host = url.host_str().unwrap_or_default();
    let is_plain = url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    let name = url.path().rsplit('/').next().unwrap_or_default();
    let is_certificate = name
        .strip_prefix("SimpleNotificationService-")
        .is_some_and(|name| name.strip_suffix(".pem").is_some());
    if is_plain && is_of_amazon(host) && is_certificate {
        Ok(url.into())
    } else {
        Err(Refusal::ForeignCertificate)
    }
}

/// `sns.<region>.amazonaws.com`, or the same in China.
fn is_of_amazon(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(is_region)
}

/// As `eu-west-1` or `us-gov-west-1`: whoever makes one up does not have us look for hosts of any name.
fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [land, middle @ .., number] = &parts[..] else { return false };
    let is_word = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
    land.len() == 2
        && is_word(land)
        && matches!(middle.len(), 1 | 2)
        && middle.iter().all(is_word)
        && matches!(number.len(), 1 | 2)
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

pub(crate) fn verify(incoming: &Incoming<'_>, trust: &Trust<'_>) -> Result<(), Refusal> {
    certificate_url(incoming.body)?;
    let message = read(incoming.body)?;
    let pem = trust.certificate.ok_or(Refusal::BadCertificate("it was not fetched"))?;
    let key = public_key(pem, trust.now_s)?;
    let algorithm = match text(&message, "SignatureVersion") {
        Some("1") => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some("2") => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(Refusal::Body("its signature is of a version that is not known")),
    };
    let signature = text(&message, "Signature").and_then(|signature| STANDARD.decode(signature).ok());
    let signature = signature.ok_or(Refusal::Body("it has no signature"))?;
    let signed = signed(&message)?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Refusal::WrongSignature)?;
    let at = text(&message, "Timestamp").and_then(|time| DateTime::parse_from_rfc3339(time).ok());
    trust.check_time(at.ok_or(Refusal::Body("its time cannot be read"))?.timestamp())
}

fn read(body: &[u8]) -> Result<Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Body("it is not JSON"))
}

fn text<'a>(message: &'a Value, name: &str) -> Option<&'a str> {
    message.get(name).and_then(Value::as_str)
}

/// What was signed: each field's name and what it holds, a line each.
fn signed(message: &Value) -> Result<String, Refusal> {
    let fields: &[&str] = match text(message, "Type") {
        Some("Notification") => &OF_NOTIFICATION,
        Some("SubscriptionConfirmation" | "UnsubscribeConfirmation") => &OF_SUBSCRIPTION,
        _ => return Err(Refusal::Body("its type is not known")),
    };
    let mut lines = String::new();
    for field in fields {
        match text(message, field) {
            Some(value) => lines.extend([field, "\n", value, "\n"]),
            None if *field == "Subject" => {}
            None => return Err(Refusal::Body("a field that is signed is missing")),
        }
    }
    Ok(lines)
}

/// The key of a certificate that holds now and was made for SNS.
fn public_key(pem: &[u8], now_s: i64) -> Result<Vec<u8>, Refusal> {
    let certificate =
        Certificate::from_pem(pem).map_err(|_| Refusal::BadCertificate("it is not a certificate"))?;
    let of = &certificate.tbs_certificate;
    let from_s = of.validity.not_before.to_unix_duration().as_secs() as i64;
    let until_s = of.validity.not_after.to_unix_duration().as_secs() as i64;
    if !(from_s..=until_s).contains(&now_s) {
        return Err(Refusal::BadCertificate("its time is over, or has not come"));
    }
    let subject = of.subject.to_string();
    let is_of_sns = subject.split(',').any(|part| {
        let name = part.trim().strip_prefix("CN=");
        name.is_some_and(|name| {
            name.starts_with("sns.") && name.trim_end_matches(".cn").ends_with(".amazonaws.com")
        })
    });
    if !is_of_sns {
        return Err(Refusal::BadCertificate("it is not one of Amazon SNS"));
    }
    let key = of.subject_public_key_info.subject_public_key.as_bytes();
    key.map(<[u8]>::to_vec).ok_or(Refusal::BadCertificate("its key cannot be read"))
}
