//! A client that sends exactly the bytes it is told to.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) struct Client<S> {
    stream: S,
    received: Vec<u8>,
}

impl<S: AsyncReadExt + AsyncWriteExt + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    /// Sends bytes; a server that has closed already is noticed when its answer is read.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.write_all(bytes.as_ref()).await;
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        let _ = self.stream.shutdown().await;
    }

    async fn receive(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        let length = self.stream.read(&mut buffer).await.unwrap_or(0);
        self.received.extend_from_slice(&buffer[..length]);
        length > 0
    }

    /// Waits until the server closes and returns what it sent until then.
    pub(crate) async fn until_closed(&mut self) -> Vec<u8> {
        while self.receive().await {}
        std::mem::take(&mut self.received)
    }

    #[track_caller]
    fn head_end(&self) -> Option<usize> {
        self.received.windows(4).position(|window| window == b"\r\n\r\n").map(|at| at + 4)
    }

    /// Reads one answer, with a body unless it is to a HEAD.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let length: usize = answer.header("content-length").unwrap_or("0").parse().unwrap();
        while self.received.len() < length {
            assert!(self.receive().await, "the server closed inside a body");
        }
        answer.body = self.received.drain(..length).collect();
        answer
    }

    /// Reads the head of one answer.
    pub(crate) async fn head(&mut self) -> Answer {
        while self.head_end().is_none() {
            assert!(self.receive().await, "the server closed without an answer");
        }
        let end = self.head_end().unwrap();
        let head: Vec<u8> = self.received.drain(..end).collect();
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| line.split_once(": ").map(|(n, v)| (n.to_owned(), v.to_owned()));
        Answer { status, headers: lines.filter_map(header).collect(), body: Vec::new() }
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Asserts a whole problem document and returns it.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        let json = self.json();
        assert_eq!(json["code"], code, "{json}");
        assert_eq!(json["status"], status);
        assert_eq!(json["type"], format!("/docs/errors/{}", code.to_lowercase()));
        assert_eq!(json["requestId"].as_str(), self.header("x-request-id"));
        assert!(!json.to_string().contains("S3CRET"), "{json}");
        json
    }
}
