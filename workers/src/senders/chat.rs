//! Lines in chat rooms: an incoming webhook as Slack has them, which others understand too.

use notify::ChatText;
use reqwest::Client;
use serde_json::json;

use super::{
    Answer, Carries, Letter,
    http::{call, meaning},
};

/// Writes into chat rooms.
pub struct Chat {
    client: Client,
    origins: Vec<String>,
}

impl Chat {
    /// One that calls addresses under `origins`, and no others: a tenant's address must not lead into our own network.
    pub fn new(client: Client, origins: &[String]) -> Self {
        let origins = origins.iter().map(|origin| format!("{}/", origin.trim_end_matches('/'))).collect();
        Self { client, origins }
    }
}

impl Carries for Chat {
    type What = ChatText;
    const NAME: &'static str = "chat";

    async fn send(&self, letter: &Letter<'_>, chat: &ChatText) -> Answer {
        if !self.origins.iter().any(|origin| letter.address.starts_with(origin.as_str())) {
            return Answer::Failed("the webhook is not at one of the origins that may be called".to_owned());
        }
        // What is said is said to people: no name in it calls anybody.
        let text = chat.text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        match call(self.client.post(letter.address).json(&json!({"text": text}))).await {
            Ok(said) => meaning(&said),
            Err(answer) => answer,
        }
    }
}
