//! A mail server on a port of its own that speaks just enough SMTP, and takes, puts off or refuses
//! letters as a test likes. What it says on the way repeats the address, as real ones do.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// How letters are received.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Reception {
    /// Taken.
    #[default]
    Kind,
    /// Put off: 450.
    Busy,
    /// Refused for good: 550.
    Unwilling,
    /// Nobody answers: connections are closed at once.
    Closed,
}

/// A letter that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) to: String,
    pub(crate) text: String,
}

impl Received {
    /// Returns the code in the letter.
    pub(crate) fn code(&self) -> String {
        let code = self.text.split("Your code is ").nth(1).unwrap().split_whitespace().next();
        code.unwrap().to_owned()
    }

    /// Returns the long code in the letter.
    pub(crate) fn long_code(&self) -> String {
        let is_long = |line: &&str| line.len() == 39 && line.split('-').count() == 8;
        self.text.lines().map(str::trim).find(is_long).unwrap().to_owned()
    }
}

#[derive(Default)]
struct State {
    reception: Reception,
    letters: Vec<Received>,
    connections: usize,
}

/// A mail server.
#[derive(Clone)]
pub(crate) struct PostOffice {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl PostOffice {
    /// Opens one; its thread ends with the process.
    pub(crate) fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let office = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = office.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let office = serving.clone();
                // A client that goes away in the middle ends its own conversation only.
                std::thread::spawn(move || drop(office.converse(stream)));
            }
        });
        office
    }

    /// From now on letters are received so.
    pub(crate) fn is(&self, reception: Reception) {
        self.state.lock().unwrap().reception = reception;
    }

    /// Returns the letters to a mailbox, in the order of their coming.
    pub(crate) fn letters_to(&self, to: &str) -> Vec<Received> {
        let state = self.state.lock().unwrap();
        state.letters.iter().filter(|letter| letter.to == to).cloned().collect()
    }

    /// Returns how many letters were taken.
    pub(crate) fn count(&self) -> usize {
        self.state.lock().unwrap().letters.len()
    }

    /// Returns how often somebody came.
    pub(crate) fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }

    fn converse(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let reception = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.reception
        };
        if reception == Reception::Closed {
            return Ok(());
        }
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut to = String::new();
        stream.write_all(b"220 post office\r\n")?;
        while let Some(line) = lines.next().transpose()? {
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            let answer = match (verb.as_str(), reception) {
                ("RCPT", Reception::Busy) => format!("450 4.2.0 {line}: greylisted"),
                ("RCPT", Reception::Unwilling) => format!("550 5.1.1 {line}: no such user"),
                ("RCPT", _) => {
                    to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                    "250 ok".to_owned()
                }
                ("DATA", _) => {
                    stream.write_all(b"354 go on\r\n")?;
                    let mut text = String::new();
                    while let Some(line) = lines.next().transpose()?.filter(|line| line != ".") {
                        text.push_str(&line);
                        text.push('\n');
                    }
                    let letter = Received { to: to.clone(), text };
                    self.state.lock().unwrap().letters.push(letter);
                    "250 taken".to_owned()
                }
                ("QUIT", _) => {
                    stream.write_all(b"221 bye\r\n")?;
                    return Ok(());
                }
                ("EHLO" | "HELO" | "MAIL" | "RSET" | "NOOP", _) => "250 ok".to_owned(),
                _ => "500 what?".to_owned(),
            };
            stream.write_all(format!("{answer}\r\n").as_bytes())?;
        }
        Ok(())
    }
}
