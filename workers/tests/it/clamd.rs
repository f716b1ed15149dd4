//! What a real ClamAV daemon says of streams of bytes.

use std::time::Duration;

use testkit::{ClamdServer, VIRUS, VIRUS_NAME, eventually};
use workers::clamd::{Clamd, ClamdError, Opinion};

use crate::world::{SOON, photo};

const MIB: usize = 1024 * 1024;

fn clamd(server: &ClamdServer) -> Clamd {
    Clamd::at(server.address().parse().unwrap())
}

async fn ask(clamd: &Clamd, pieces: &[&[u8]]) -> Result<Opinion, ClamdError> {
    let mut scan = clamd.begin().await?;
    for piece in pieces {
        if !scan.send(piece).await {
            break;
        }
    }
    scan.opinion().await
}

fn infected() -> Opinion {
    Opinion::Infected { signature: VIRUS_NAME.to_owned() }
}

#[tokio::test]
async fn a_virus_is_named_and_a_photograph_is_not() {
    let server = ClamdServer::start().unwrap();
    let clamd = clamd(&server);
    assert!(clamd.version().await.unwrap().starts_with("ClamAV "));
    let photo = photo("LadyBird.jpg");
    assert_eq!(ask(&clamd, &[&photo]).await.unwrap(), Opinion::Clean);
    assert_eq!(ask(&clamd, &[]).await.unwrap(), Opinion::Clean, "a file without bytes");
    assert_eq!(ask(&clamd, &[&photo, VIRUS]).await.unwrap(), infected());
    // In two pieces, neither of which is it.
    let (half, rest) = VIRUS.split_at(VIRUS.len() / 2);
    assert_eq!(ask(&clamd, &[&photo[..1_000], half, rest, &photo[1_000..]]).await.unwrap(), infected());
}

/// Of what it was told to look at less of than it takes in, and to take in less of than is sent.
#[tokio::test]
async fn a_file_past_its_limits_is_not_clean() {
    let limits = [("StreamMaxLength", "4M"), ("MaxFileSize", "1M"), ("MaxScanSize", "1M")];
    let server = ClamdServer::start_with(&limits).unwrap();
    let clamd = clamd(&server);
    let photo = photo("LadyBird.jpg");
    let nothing = vec![0; MIB];
    for bytes in [2 * MIB, 40 * MIB] {
        let nothings = std::iter::repeat_n(&nothing[..], bytes / MIB);
        let pieces: Vec<&[u8]> = std::iter::once(&photo[..]).chain(nothings).collect();
        let opinion = ask(&clamd, &pieces).await.unwrap();
        assert!(matches!(opinion, Opinion::Unscannable { .. }), "{bytes}: {opinion:?}");
    }
    assert_eq!(ask(&clamd, &[&photo]).await.unwrap(), Opinion::Clean);
}

#[tokio::test]
async fn a_daemon_that_is_away_has_no_opinion() {
    let mut server = ClamdServer::start().unwrap();
    let clamd = clamd(&server);
    let mut scan = clamd.begin().await.unwrap();
    assert!(scan.send(VIRUS).await);
    server.kill();
    assert!(matches!(scan.opinion().await, Err(ClamdError::Away { .. })));
    assert!(matches!(ask(&clamd, &[]).await, Err(ClamdError::Away { .. })));
    server.begin().unwrap();
    // It is left alone for a moment after it was away.
    let opinion = eventually("an opinion", SOON, || async { ask(&clamd, &[VIRUS]).await.ok() }).await;
    assert_eq!(opinion, infected());
}

#[tokio::test]
async fn a_daemon_that_stands_still_is_away() {
    let server = ClamdServer::start().unwrap();
    let clamd = clamd(&server);
    server.freeze().unwrap();
    assert!(matches!(clamd.version().await, Err(ClamdError::Away { .. })));
    // Whoever asks next is not kept waiting.
    let next = tokio::time::timeout(Duration::from_secs(1), clamd.version()).await;
    assert!(next.is_ok_and(|told| told.is_err()));
}

/// One that takes the connection and never says a word is away too, within a bound; here it hangs up.
#[tokio::test]
async fn a_stranger_on_the_port_has_no_opinion() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let clamd = Clamd::at(listener.local_addr().unwrap().to_string().parse().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ =
                tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let said = tokio::time::timeout(Duration::from_mins(1), ask(&clamd, &[VIRUS])).await.unwrap();
    assert!(said.is_err(), "{said:?}");
}
