//! The profile file, and what works without an API.

use std::os::unix::fs::PermissionsExt;

use crate::world::{World, crewline};

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_says_where_and_as_whom() {
    let world = World::idle().await;
    let home = tempfile::tempdir().unwrap();
    let call = async |arguments: &[&str], input: &str| crewline(home.path(), &[], arguments, input).await;
    assert_eq!(call(&["jobs"], "").await.code, 2, "nobody said where");
    assert_eq!(call(&["profile", "set", "acme", "--url", &world.url], "\n").await.code, 2, "nor as whom");
    let set = call(&["profile", "set", "acme", "--url", &world.url], &format!("{}\n", world.key)).await;
    assert_eq!(set.code, 0, "{}", set.err);
    assert_eq!(call(&["jobs"], "").await.code, 2, "it is not the default");
    assert_eq!(call(&["jobs", "--profile", "acme"], "").await.code, 0);
    let listed = call(&["profile", "list"], "").await.out;
    assert!(listed.contains("acme") && !listed.contains(&world.key), "{listed}");

    let file = home.path().join(".config/crewline/profiles.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let told = call(&["jobs", "--profile", "acme"], "").await;
    assert!(
        told.code == 1 && told.err.contains("chmod 600") && !told.err.contains(&world.key),
        "{}",
        told.err
    );
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(call(&["profile", "remove", "acme"], "").await.code, 0);
    assert_eq!(call(&["jobs", "--profile", "acme"], "").await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_is_named_and_its_key_is_not() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("mine.toml");
    std::fs::write(&file, "[default]\nurl = \"http://127.0.0.1:1\"\napi_key = crw_secret\n").unwrap();
    let told = crewline(home.path(), &[], &["--config", file.to_str().unwrap(), "jobs"], "").await;
    assert!(
        told.code == 1 && told.err.contains("mine.toml") && !told.err.contains("crw_secret"),
        "{}",
        told.err
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_learn_every_command() {
    let home = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let told = crewline(home.path(), &[], &["completions", shell], "").await;
        assert_eq!(told.code, 0);
        for command in ["submit", "schedules", "completions"] {
            assert!(told.out.contains(command), "{shell} does not know {command}");
        }
    }
}
