//! A listener to the stream of events, who reads it as browsers do.

use std::time::Duration;

use serde_json::Value;

use crate::support::app::TestApp;

/// Longer than anything here takes, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(20);

/// An event as a browser sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    /// What the browser would come back with.
    pub(crate) last_id: Option<String>,
    pub(crate) event: String,
    pub(crate) data: Value,
}

/// One stream.
pub(crate) struct Listener {
    response: reqwest::Response,
    unread: String,
    pub(crate) last_id: Option<String>,
}

impl Listener {
    /// Begins to listen with a key, after an event if one is named.
    pub(crate) async fn of(app: &TestApp, key: &str, query: &str, last: Option<&str>) -> Self {
        let response = Self::ask(app, key, query, last).await;
        assert_eq!(response.status(), 200);
        let header = |name| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("content-type"), "text/event-stream");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("x-accel-buffering"), "no");
        Self { response, unread: String::new(), last_id: last.map(str::to_owned) }
    }

    /// Asks for a stream, which may be refused.
    pub(crate) async fn ask(
        app: &TestApp,
        key: &str,
        query: &str,
        last: Option<&str>,
    ) -> reqwest::Response {
        let mut url = app.base.join("v1/admin/events").unwrap();
        url.set_query(Some(query).filter(|query| !query.is_empty()));
        let mut request = app.client.get(url).header("x-api-key", key);
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        request.send().await.unwrap()
    }

    /// Returns the next event; nothing at the end of the stream.
    pub(crate) async fn next(&mut self) -> Option<Heard> {
        tokio::time::timeout(PATIENCE, self.read()).await.expect("nothing was heard")
    }

    /// Returns the next event of a kind, passing over others.
    pub(crate) async fn until(&mut self, event: &str) -> Heard {
        loop {
            let heard = self.next().await.expect("the stream ended");
            if heard.event == event {
                return heard;
            }
        }
    }

    /// Returns the next bytes as they come.
    pub(crate) async fn bytes(&mut self) -> Option<String> {
        let chunk = self.response.chunk().await.ok().flatten()?;
        Some(String::from_utf8(chunk.to_vec()).unwrap())
    }

    async fn read(&mut self) -> Option<Heard> {
        loop {
            while let Some((block, rest)) = self.unread.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.unread = rest;
                if let Some(heard) = self.dispatch(&block) {
                    return Some(heard);
                }
            }
            let more = self.bytes().await?;
            self.unread.push_str(&more);
        }
    }

    /// Does what the specification says of an empty line: the id counts, an event has data.
    fn dispatch(&mut self, block: &str) -> Option<Heard> {
        let (mut event, mut data) = (String::new(), Vec::new());
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => self.last_id = Some(id.to_owned()),
                Some(("event", name)) => name.clone_into(&mut event),
                Some(("data", text)) => data.push(text.to_owned()),
                Some(("" | "retry", _)) => {}
                _ => unreachable!("no line of a stream: {line}"),
            }
        }
        let data = (!data.is_empty()).then(|| serde_json::from_str(&data.join("\n")).unwrap())?;
        Some(Heard { last_id: self.last_id.clone(), event, data })
    }
}
