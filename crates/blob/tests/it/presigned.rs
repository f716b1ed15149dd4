use std::time::Duration;

use blob::{Blobs, Key, Presigned};
use reqwest::{Client, Method, StatusCode};

use crate::server::{Server, content, options};

const SOON: Duration = Duration::from_mins(5);

async fn send(presigned: &Presigned, body: Vec<u8>) -> reqwest::Response {
    let method: Method = presigned.method.parse().unwrap();
    let request = presigned.headers.iter().fold(
        Client::new().request(method, &presigned.url).timeout(Duration::from_secs(10)),
        |request, (name, value)| request.header(name, value),
    );
    let request = if body.is_empty() { request } else { request.body(body) };
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_client_puts_exactly_what_was_signed() {
    let server = Server::start().await;
    let (key, body) = (Key::upload("acme", "1").unwrap(), content(5_000).to_vec());
    let signed = server.blobs.presign_put(&key, "image/jpeg", 5_000, SOON).await.unwrap();
    assert_eq!(signed.method, "PUT");
    assert!(
        signed.url.contains("X-Amz-SignedHeaders=content-length%3Bcontent-type%3Bhost"),
        "{}",
        signed.url
    );
    assert!(!signed.url.contains("checksum"), "{}", signed.url);
    let mut headers = signed.headers.clone();
    headers.sort();
    assert_eq!(headers, [pair("content-length", "5000"), pair("content-type", "image/jpeg")]);

    let wrong_type = Presigned {
        headers: vec![pair("content-length", "5000"), pair("content-type", "text/html")],
        ..signed.clone()
    };
    assert_eq!(send(&wrong_type, body.clone()).await.status(), StatusCode::FORBIDDEN);
    let wrong_length = Presigned {
        headers: vec![pair("content-length", "4999"), pair("content-type", "image/jpeg")],
        ..signed.clone()
    };
    assert_eq!(send(&wrong_length, body[..4_999].to_vec()).await.status(), StatusCode::FORBIDDEN);
    let other_key = Presigned { url: signed.url.replace("/u/1", "/u/2"), ..signed.clone() };
    assert_eq!(send(&other_key, body.clone()).await.status(), StatusCode::FORBIDDEN);
    let longer = Presigned { url: signed.url.replace("Expires=300", "Expires=3000"), ..signed.clone() };
    assert_eq!(send(&longer, body.clone()).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.blobs.head(&key).await.unwrap(), None);

    let answer = send(&signed, body.clone()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("etag"));
    let head = server.blobs.head(&key).await.unwrap().unwrap();
    assert_eq!((head.size, head.content_type.as_deref()), (5_000, Some("image/jpeg")));
    assert_eq!(server.blobs.get(&key, 5_000).await.unwrap(), body);
    server.stop().await;
}

#[tokio::test]
async fn an_expired_url_is_refused() {
    let server = Server::start().await;
    let key = Key::upload("acme", "1").unwrap();
    let signed = server.blobs.presign_put(&key, "image/jpeg", 3, Duration::from_mins(10)).await.unwrap();
    let seconds = (signed.expires_at - chrono::Utc::now()).num_seconds();
    assert!((590..=600).contains(&seconds), "{seconds}");

    // One second is the shortest there is; it is over when the server says so, which is asked with a bound.
    let signed = server.blobs.presign_put(&key, "image/jpeg", 3, Duration::from_secs(1)).await.unwrap();
    let refused = async {
        while send(&signed, b"abc".to_vec()).await.status() != StatusCode::FORBIDDEN {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), refused).await.unwrap();
    assert!(server.blobs.presign_put(&key, "image/jpeg", 3, Duration::from_hours(8 * 24)).await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_client_downloads_under_the_name_given() {
    let server = Server::start().await;
    let key = Key::upload("acme", "1").unwrap();
    server.blobs.put(&key, content(2_000), "image/jpeg", "private").await.unwrap();
    let signed = server.blobs.presign_get(&key, SOON, Some("Küche 1.jpg")).await.unwrap();
    assert_eq!((signed.method.as_str(), signed.headers.len()), ("GET", 0));
    let answer = send(&signed, Vec::new()).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"K_che 1.jpg\"; filename*=UTF-8''K%C3%BCche%201.jpg"
    );
    assert_eq!(answer.bytes().await.unwrap(), content(2_000));

    let other = Presigned { url: signed.url.replace("/u/1", "/u/2"), ..signed.clone() };
    assert_eq!(send(&other, Vec::new()).await.status(), StatusCode::FORBIDDEN);
    let bare = Presigned { url: signed.url.split('?').next().unwrap().to_owned(), ..signed.clone() };
    assert_eq!(send(&bare, Vec::new()).await.status(), StatusCode::FORBIDDEN);
    assert!(!format!("{signed:?}").contains("X-Amz"), "{signed:?}");
    server.stop().await;
}

#[tokio::test]
async fn urls_name_the_address_that_clients_know() {
    let server = Server::start().await;
    let mut public = options(server.address);
    public.public_endpoint = Some("https://files.example.com".to_owned());
    let blobs = Blobs::connect(&public).unwrap();
    let signed = blobs.presign_get(&Key::upload("acme", "1").unwrap(), SOON, None).await.unwrap();
    assert!(signed.url.starts_with("https://files.example.com/crewline/acme/u/1?"), "{}", signed.url);
    blobs.check().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_browser_may_ask_first() {
    let server = Server::start().await;
    let url = format!("http://{}/crewline/acme/u/1", server.address);
    let asked = Client::new()
        .request(Method::OPTIONS, url)
        .header("origin", "https://app.example.com")
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "content-type");
    let answer = asked.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["access-control-allow-headers"], "content-type");
    assert!(answer.headers()["access-control-allow-methods"].to_str().unwrap().contains("PUT"));
    server.stop().await;
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}
