//! Follows where one request ends and the next begins, beside the HTTP library.
//!
//! The library reads a head that states both Content-Length and Transfer-Encoding by the latter
//! and does not tell. Another reader in front of us may go by the former, and what it takes for
//! the rest of a body we would take for a request. So the bytes are looked at once on their way
//! in, only to find such heads. After a chunked request the connection is not used again, because
//! its end is not followed here.

/// A line longer than this is no statement of a length that anyone would make.
const LINE_LIMIT: usize = 256;

/// Where in the stream of requests the connection is.
#[derive(Debug, Default)]
pub(super) struct Framing {
    place: Place,
    head: Head,
    /// Heads read to their end.
    heads: u64,
    /// The number of the first head that stated the length in two ways, from 1.
    ambiguous: Option<u64>,
    /// The beginning of a line whose end has not arrived.
    partial: Vec<u8>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    Body(u64),
    /// In or after a body whose end is not followed.
    Unknown,
}

#[derive(Debug, Default)]
struct Head {
    lines: usize,
    content_length: Option<u64>,
    is_stated: bool,
    is_chunked: bool,
}

impl Framing {
    /// Looks at bytes that have arrived.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = match self.place {
                Place::Head => self.feed_head(bytes),
                Place::Body(left) => {
                    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
                    let taken = usize::try_from(left.min(length)).unwrap_or(bytes.len());
                    self.place =
                        if left > length { Place::Body(left - length) } else { Place::Head };
                    &bytes[taken..]
                }
                Place::Unknown => return,
            };
        }
    }

    /// Tells whether the bytes end inside a head.
    pub(super) fn is_inside_head(&self) -> bool {
        self.place == Place::Head && (self.head.lines > 0 || !self.partial.is_empty())
    }

    /// Tells whether the client may have more to send of what it began.
    pub(super) fn is_between_requests(&self) -> bool {
        self.place == Place::Head && !self.is_inside_head()
    }

    /// Tells whether the end of request `number`, counted from 1, is not followed.
    pub(super) fn is_lost_after(&self, number: u64) -> bool {
        self.place == Place::Unknown && self.heads == number
    }

    /// Tells whether head `number`, counted from 1, stated the length in two ways.
    pub(super) fn is_ambiguous(&self, number: u64) -> bool {
        self.ambiguous == Some(number)
    }

    /// Takes lines until the head or the bytes end; returns what is left.
    fn feed_head<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
            let room = (LINE_LIMIT + 1).saturating_sub(self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..room]);
            return &[];
        };
        let (line, rest) = (&bytes[..end], &bytes[end + 1..]);
        if self.partial.is_empty() {
            self.line(line);
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(line);
            self.line(&whole);
        }
        rest
    }

    fn line(&mut self, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            // Empty lines before a request are skipped, as the library does.
            if self.head.lines > 0 {
                self.end_of_head();
            }
            return;
        }
        self.head.lines += 1;
        if matches!(line[0], b'c' | b'C' | b't' | b'T') {
            self.head.note(line);
        }
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.heads += 1;
        if head.is_stated && head.is_chunked && self.ambiguous.is_none() {
            self.ambiguous = Some(self.heads);
        }
        self.place = match (head.is_chunked, head.is_stated, head.content_length) {
            (false, false, _) | (false, true, Some(0)) => Place::Head,
            (false, true, Some(length)) => Place::Body(length),
            (true, _, _) | (false, true, None) => Place::Unknown,
        };
    }
}

impl Head {
    fn note(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return;
        };
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.is_chunked = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            let text = std::str::from_utf8(value).ok().filter(|_| line.len() <= LINE_LIMIT);
            let length = text.and_then(|text| text.trim().parse().ok());
            let agrees = !self.is_stated || self.content_length == length;
            self.content_length = length.filter(|_| agrees);
            self.is_stated = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const SIZED: &str = "POST / HTTP/1.1\r\nHost: a\r\ncontent-length:  5 \r\n\r\nab\n\r\n";
    const BOTH: &str = "POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// Feeds the bytes whole and in pieces of every size: the verdicts must agree.
    #[track_caller]
    fn fed(text: &str) -> Framing {
        let mut whole = Framing::default();
        whole.feed(text.as_bytes());
        for size in 1..text.len() {
            let mut pieces = Framing::default();
            text.as_bytes().chunks(size).for_each(|piece| pieces.feed(piece));
            assert_eq!(pieces.place, whole.place, "pieces of {size}");
            assert_eq!((pieces.heads, pieces.ambiguous), (whole.heads, whole.ambiguous));
        }
        whole
    }

    #[test]
    fn requests_in_a_row_are_told_apart() {
        let framing = fed(&[PLAIN, SIZED, "\r\n", SIZED, PLAIN].concat());
        assert_eq!((framing.heads, framing.ambiguous), (4, None));
        assert!(framing.is_between_requests());
    }

    #[test]
    fn the_head_with_two_lengths_is_found_among_others() {
        for order in [
            BOTH.to_owned(),
            BOTH.replace(
                "Content-Length: 5\r\nTransfer-Encoding: chunked",
                "transfer-encoding: chunked\r\nCONTENT-LENGTH: 5",
            ),
        ] {
            let framing = fed(&[PLAIN, SIZED, &order, "0\r\n\r\n", PLAIN].concat());
            assert!(framing.is_ambiguous(3) && !framing.is_ambiguous(1), "{order}");
            assert!(framing.is_lost_after(3));
        }
    }

    #[test]
    fn a_body_that_looks_like_a_head_is_not_read_as_one() {
        let inner = BOTH.len();
        let head = format!("POST / HTTP/1.1\r\nContent-Length: {inner}\r\n\r\n");
        let framing = fed(&[&head, BOTH, PLAIN].concat());
        assert_eq!((framing.heads, framing.ambiguous), (2, None));
    }

    #[test]
    fn a_half_head_and_a_half_body_are_unfinished() {
        assert!(fed("GET / HTTP/1.1\r\nHo").is_inside_head());
        let half = fed("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab");
        assert!(!half.is_inside_head() && !half.is_between_requests() && !half.is_lost_after(1));
    }

    #[test]
    fn a_length_that_cannot_be_followed_ends_the_following() {
        for value in ["5\r\nContent-Length: 6", "+x", "99999999999999999999", &" ".repeat(300)] {
            let text = format!("POST / HTTP/1.1\r\nContent-Length: {value}\r\n\r\n");
            assert!(fed(&text).is_lost_after(1), "{value}");
        }
    }
}
