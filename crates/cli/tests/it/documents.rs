//! The page of this program, run as it stands.

use std::path::Path;

use testkit::Page;

use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn command_line() {
    let world = World::working().await;
    let programs = Path::new(env!("CARGO_BIN_EXE_crewline")).parent().unwrap().display();
    let path = format!("{programs}:/usr/local/bin:/usr/bin:/bin");
    let home = world.folder().display().to_string();
    let environment = [
        ("CREWLINE_URL", world.url.as_str()),
        ("CREWLINE_API_KEY", &world.key),
        ("PATH", &path),
        ("HOME", &home),
        ("XDG_CONFIG_HOME", &home),
    ];
    let page = Page::read(Path::new("../../docs/command-line.md")).unwrap();
    page.holds(world.folder(), &environment, SOON * 3).await.unwrap();
}

/// The table of exit codes names what the program does.
#[test]
fn every_exit_code_is_described() {
    let page = std::fs::read_to_string("../../docs/command-line.md").unwrap();
    let source = include_str!("../../src/ending.rs");
    let codes = source.lines().filter_map(|line| {
        line.trim().strip_prefix("Self::")?.split_once(" => ")?.1.strip_suffix(',')?.parse::<u8>().ok()
    });
    let codes: Vec<u8> = codes.collect();
    assert_eq!(codes.len(), 9, "the codes were not found");
    for code in codes {
        assert!(page.contains(&format!("\n| {code} | ")), "docs/command-line.md does not explain {code}");
    }
}
