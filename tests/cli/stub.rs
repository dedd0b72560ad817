//! A control socket behind which nobody works: it notes requests and gives the answer it is told.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use serde_json::Value;

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Noted {
    pub(crate) line: String,
    pub(crate) body: Value,
}

/// Listens in a data directory, and gives this answer to every request.
pub(crate) fn listen(data_dir: &Path, status: u16, answer: &Value) -> Receiver<Noted> {
    let listener = UnixListener::bind(data_dir.join("control.sock")).unwrap();
    let (sender, noted) = channel();
    let answer = answer.to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = BufReader::new(stream.unwrap());
            // A command first tries whether anybody is there.
            let Some(request) = read(&mut stream) else { continue };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n\
                 Content-Length: {}\r\n\r\n{answer}",
                answer.len()
            );
            stream.get_mut().write_all(head.as_bytes()).unwrap();
            if sender.send(request).is_err() {
                return;
            }
        }
    });
    noted
}

fn read(stream: &mut impl BufRead) -> Option<Noted> {
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|length| *length > 0)?;
    let (mut length, mut header) = (0, String::new());
    while stream.read_line(&mut header).unwrap() > 2 {
        if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        header.clear();
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let line = line.trim_end().to_owned();
    Some(Noted { line, body: serde_json::from_slice(&body).unwrap_or(Value::Null) })
}
