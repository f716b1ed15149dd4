//! The commands around the server, as a person or a script calls them.

use std::process::{Command, Output};

use reqwest::StatusCode;

use crate::{app::TestApp, ops::Person};

fn api(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    command.env_clear().env("DATABASE_URL", app.database_url()).args(arguments).output().unwrap()
}

fn printed(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_and_a_key_are_made_listed_and_revoked() {
    let app = TestApp::start().await;
    assert_eq!(printed(&api(&app, &["migrate"])), "The schema is up to date.");
    assert!(printed(&api(&app, &["tenant", "create", "demo", "--name", "Demo"])).starts_with("ten_"));
    assert!(!api(&app, &["tenant", "create", "demo"]).status.success(), "the name is taken");
    assert!(!api(&app, &["tenant", "create", "Not A Slug"]).status.success());
    assert!(printed(&api(&app, &["tenant", "list"])).contains("\tdemo\tDemo"));

    let create = ["key", "create", "--tenant", "demo", "--name", "laptop", "--scope", "jobs:read"];
    let key = printed(&api(&app, &create));
    let asked = app.http.get(app.url("/v1/jobs")).bearer_auth(&key).send().await.unwrap();
    assert_eq!(asked.status(), StatusCode::OK);
    let listed = printed(&api(&app, &["key", "list", "--tenant", "demo"]));
    assert!(listed.contains("\tvalid\tjobs:read\t") && !listed.contains(&key[17..]), "{listed}");
    let hers = [&create[..], &["--person", "ann@acme.test"]].concat();
    assert!(!api(&app, &hers).status.success(), "there is nobody");
    Person::new(&app, "ann", &[]).await;
    assert!(printed(&api(&app, &hers)).starts_with("crw_"));
    assert!(printed(&api(&app, &["key", "list", "--tenant", "demo"])).contains("\tann@acme.test\tlaptop"));
    printed(&api(&app, &["key", "revoke", &key[4..16]]));
    assert!(printed(&api(&app, &["key", "list", "--tenant", "demo"])).contains("\trevoked\t"));
    let again = api(&app, &["key", "revoke", &key[4..16]]);
    assert!(!again.status.success());
    assert!(String::from_utf8_lossy(&again.stderr).starts_with("error: no valid key"));
    let chain = printed(&api(&app, &["audit", "verify", "--tenant", "demo"]));
    assert!(chain.starts_with("demo\twhole\t3\t"), "two keys made and one revoked: {chain}");
    let demo = store::keys::tenant_by_slug(&app.owner, "demo").await.unwrap();
    let said = store::audit::list(&app.owner, demo, None, 10).await.unwrap();
    let said: Vec<serde_json::Value> =
        said.iter().rev().map(|entry| serde_json::from_str(&entry.entry).unwrap()).collect();
    let done: Vec<_> = said.iter().map(|said| said["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["key.create", "key.create", "key.revoke"]);
    assert_eq!(said[0]["target"], said[2]["target"]);
    assert_eq!(
        (&said[1]["by"], &said[1]["after"]),
        (
            &"the command line".into(),
            &serde_json::json!({ "name": "laptop", "scopes": ["jobs:read"], "person": "ann@acme.test" }),
        )
    );
    assert!(!said.iter().any(|said| said.to_string().contains(&key[17..])), "secrets are not written down");

    let address = app.address.to_string();
    printed(&api(&app, &["healthcheck", "--listen", &address, "--ready"]));
    assert!(!api(&app, &["healthcheck", "--listen", "127.0.0.1:1"]).status.success());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_is_let_in_and_taken_out_and_the_log_is_verified() {
    let app = TestApp::start().await;
    let password = printed(&api(&app, &["user", "add", "ann@acme.test", "--name", "Ann"]));
    assert_eq!(password.len(), 24);
    assert!(
        !api(&app, &["user", "add", "ANN@acme.test", "--name", "Ann"]).status.success(),
        "the address is taken"
    );
    assert!(!api(&app, &["user", "add", "nobody", "--name", "x"]).status.success());
    let grant =
        ["user", "grant", "ann@acme.test", "--tenant", "acme", "--role", "tenant_operator", "--payloads"];
    assert_eq!(printed(&api(&app, &grant)), "Granted.");
    for wrong in [
        ["--tenant", "acme", "--role", "admin"].as_slice(),
        &["--everywhere", "--role", "tenant_operator"],
        &["--role", "viewer"],
    ] {
        let arguments = [&["user", "grant", "ann@acme.test"], wrong].concat();
        assert!(!api(&app, &arguments).status.success(), "{wrong:?}");
    }
    assert!(printed(&api(&app, &["user", "totp", "ann@acme.test"])).starts_with("otpauth://totp/"));
    let listed = printed(&api(&app, &["user", "list"]));
    assert_eq!(listed, "ann@acme.test\tactive\tcode\tacme:tenant_operator+payloads\tAnn");
    assert_eq!(printed(&api(&app, &["user", "withdraw", "ann@acme.test", "--tenant", "acme"])), "Withdrawn.");
    let link = |subject| {
        let at = ["--issuer", "https://sso.acme.test", "--subject", subject];
        api(&app, &[&["user", "link", "Ann@acme.test"], at.as_slice()].concat())
    };
    assert_eq!(printed(&link("7")), "Linked.");
    assert!(!link("8").status.success(), "one subject at one issuer");
    assert_eq!(printed(&api(&app, &["user", "unlink", "ann@acme.test"])), "Unlinked.");
    assert!(!api(&app, &["user", "unlink", "ann@acme.test"]).status.success());
    assert_eq!(printed(&api(&app, &["user", "disable", "ann@acme.test"])), "Disabled.");
    assert_ne!(printed(&api(&app, &["user", "password", "ann@acme.test"])), password);

    let verified = printed(&api(&app, &["audit", "verify"]));
    let chains: Vec<_> = verified.lines().map(|line| line.rsplit_once('\t').unwrap().0).collect();
    assert_eq!(chains, ["*\twhole\t6", "acme\twhole\t2"]);
    app.execute(
        "update audit_entry set entry = replace(entry, 'payloads', 'Payloads') where tenant_id is not null",
    )
    .await;
    let broken = api(&app, &["audit", "verify", "--tenant", "acme"]);
    assert!(!broken.status.success());
    assert_eq!(String::from_utf8_lossy(&broken.stdout), "acme\tbroken at entry 1\n");
}

#[test]
fn help_teaches_with_examples_and_shows_no_secret() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_api"));
    let output =
        command.env("DATABASE_URL", "postgres://u:hunter2@h/d").args(["serve", "--help"]).output().unwrap();
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for option in ["--listen", "CREWLINE_LISTEN", "--public-url", "DATABASE_URL", "AWS_S3_BUCKET", "RUST_LOG"]
    {
        assert!(help.contains(option), "{option}");
    }
    assert!(!help.contains("hunter2"));
    let output = Command::new(env!("CARGO_BIN_EXE_api")).arg("--help").output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).contains("Examples:"));
}
