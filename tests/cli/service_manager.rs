//! What the service manager hears of a server (sd_notify(3)).

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use crate::world::World;

/// Longer than anything here takes; what is never said fails the test.
const PATIENCE: Duration = Duration::from_secs(30);

/// Listens as systemd does.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    /// Waits for a message that has this line, and returns all of that message.
    #[track_caller]
    fn hear(&self, line: &str) -> String {
        let mut bytes = [0; 4096];
        loop {
            let length = self.socket.recv(&mut bytes).unwrap();
            let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
            if message.lines().any(|said| said == line) {
                return message;
            }
        }
    }
}

#[test]
fn a_server_says_that_it_is_ready_how_it_is_and_that_it_stops() {
    let world = World::start();
    let path = world.folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let manager = Manager { socket };
    let server =
        world.serve_with(&[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "300000")]);
    manager.hear("READY=1");
    for _ in 0..3 {
        let message = manager.hear("WATCHDOG=1");
        assert!(message.contains("STATUS=serving http://127.0.0.1:"), "{message}");
    }
    drop(world.signer);
    while !manager.hear("WATCHDOG=1").contains("without signer") {}
    assert!(server.stop().success());
    manager.hear("STOPPING=1");
}
