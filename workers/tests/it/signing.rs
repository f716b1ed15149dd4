//! Mails signed with DKIM, read by another's program after they went through a mail server.

use std::process::{Command, Stdio};

use jobs::Channel;
use testkit::SmtpServer;

use crate::{
    outbound::{becomes, planned, reminder, somebody, start},
    world::World,
};

/// Says whether the signature of a mail holds: MAIL, and the public key as it stands in the DNS.
const VERIFY: &str = "import sys, dkim\n\
    mail = open(sys.argv[1], 'rb').read()\n\
    record = b'v=DKIM1; k=rsa; p=' + sys.argv[2].encode()\n\
    asked = []\n\
    def dns(name, timeout=5):\n\
    \x20   asked.append(name)\n\
    \x20   return record\n\
    print(dkim.verify(mail, dnsfunc=dns), asked[0].decode())";

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("in");
    std::fs::write(&path, input).unwrap();
    let told = Command::new("openssl")
        .args(arguments)
        .stdin(std::fs::File::open(&path).unwrap())
        .stderr(Stdio::null())
        .output()
        .expect("openssl is not installed; ./dev test installs it");
    assert!(told.status.success(), "{told:?}");
    told.stdout
}

fn verified(mail: &str, public: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail");
    std::fs::write(&path, mail).unwrap();
    let told = Command::new("python3")
        // A package of Debian's is for Debian's Python, whichever comes first.
        .env("PATH", "/usr/bin:/bin")
        .args(["-c", VERIFY])
        .arg(&path)
        .arg(public)
        .output()
        .unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_signed_mail_is_found_genuine_and_an_altered_one_is_not() {
    let (world, smtp) = (World::new().await, SmtpServer::start().unwrap());
    let key = openssl(&["genrsa", "-traditional", "2048"], b"");
    let public = openssl(&["base64", "-A"], &openssl(&["rsa", "-pubout", "-outform", "DER"], &key));
    let public = String::from_utf8(public).unwrap();
    let key = String::from_utf8(key).unwrap();
    let _worker = start(&world, &smtp, &["--dkim-selector", "crew", &format!("--dkim-key={key}")]);
    let party = somebody(&world, "ada@example.test").await;
    let mut plan = reminder(party, Channel::Email);
    // Long enough to be folded, and not in ASCII.
    plan.variables.insert("address".into(), format!("Große Straße 12, {}", "Hinterhaus ".repeat(12)).into());
    becomes(&world, planned(&world, &plan).await[0], &["sent"]).await;
    let mail = smtp.kept().unwrap()[0].mail.clone();
    assert_eq!(verified(&mail, &public), "True crew._domainkey.acme.test.");
    let signed = mail.split("h=").nth(1).unwrap().split(';').next().unwrap().to_lowercase();
    assert!(signed.contains("list-unsubscribe") && signed.contains("list-unsubscribe-post"), "{signed}");
    let altered = mail.replace("https://api.acme.test/u/", "https://api.evil.test/u/");
    assert_eq!(verified(&altered, &public), "False crew._domainkey.acme.test.");
}
