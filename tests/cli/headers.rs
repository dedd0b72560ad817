//! `headers`: our own chain on the data itself, and beside a server.

use std::path::PathBuf;

use crate::program::{Finished, Running, ask};
use crate::world::World;

/// A world whose network has some blocks, and their headers as a file.
struct Chain {
    world: World,
    file: PathBuf,
    hashes: Vec<String>,
}

impl Chain {
    fn of_height(height: usize) -> Self {
        let world = World::start();
        let body = format!("{{\"blocks\":{height}}}");
        let (status, mined) = ask(&world.simnet.url, "POST", "/sim/mine", "", &body);
        assert_eq!(status, 200, "{mined}");
        let hashes = mined["blocks"].as_array().unwrap().iter();
        let hashes = hashes.map(|hash| hash.as_str().unwrap().to_owned()).collect();
        let (status, lines) = ask(&world.simnet.url, "GET", "/sim/headers", "", "");
        assert_eq!(status, 200);
        let mut bytes = vec![0; 4];
        lines.as_str().unwrap().lines().for_each(|line| bytes.extend(hex::decode(line).unwrap()));
        let file = world.folder.path().join("headers.bin");
        std::fs::write(&file, bytes).unwrap();
        Self { world, file, hashes }
    }

    fn headers(&self, arguments: &[&str]) -> Finished {
        self.world.run(&[&["headers"][..], arguments].concat())
    }

    fn import(&self) -> Finished {
        self.headers(&["import", self.file.to_str().unwrap()])
    }

    /// Returns the checkpoint of a block, as it is written.
    fn checkpoint(&self, height: usize) -> String {
        format!("{height}:{}", self.hashes[height - 1])
    }
}

#[test]
fn headers_go_in_from_a_file_and_come_out_as_they_went_in() {
    let chain = Chain::of_height(12);
    let imported = chain.import().expect(0);
    assert_eq!(imported.stdout, "13 read, 0 new below our headers, 13 new above\n");
    let status = chain.headers(&["status", "--json"]).expect(0).json();
    assert_eq!((&status["lowest"], &status["tip"]["height"]), (&0.into(), &12.into()));
    assert_eq!(status["tip"]["hash"], chain.hashes[11].as_str());
    assert_eq!(
        (&status["anchored"], &status["deepestReorganisation"]),
        (&"genesis".into(), &0.into())
    );
    let copy = chain.world.folder.path().join("copy.bin");
    chain.headers(&["export", copy.to_str().unwrap()]).expect(0);
    assert_eq!(std::fs::read(&copy).unwrap(), std::fs::read(&chain.file).unwrap());
    chain.headers(&["export", copy.to_str().unwrap(), "--from", "11"]).expect(0);
    assert_eq!(std::fs::read(&copy).unwrap().len(), 4 + 2 * 80);
    std::fs::write(&chain.file, [0; 83]).unwrap();
    let refused = chain.import().expect(1);
    assert!(refused.stderr.contains("83 bytes are not"), "{}", refused.stderr);
    chain.world.run(&["check"]).expect(0);
}

#[test]
fn checkpoints_are_added_listed_and_removed_and_a_contradiction_shows() {
    let chain = Chain::of_height(6);
    chain.import().expect(0);
    let good = chain.checkpoint(3);
    let listed = chain.headers(&["checkpoint", "add", &good]).expect(0);
    assert_eq!(listed.stdout, format!("linked        stored       {good}\n"));
    let wrong = format!("4:{}", chain.hashes[0]);
    let warned = chain.headers(&["checkpoint", "add", &wrong]).expect(0);
    assert!(warned.stderr.contains("contradicts"), "{}", warned.stderr);
    let status = chain.headers(&["status"]).expect(1);
    assert!(
        status.stdout.contains(&format!("contradicted  stored       {wrong}")),
        "{}",
        status.stdout
    );
    chain.headers(&["checkpoint", "remove", "4"]).expect(0);
    chain.headers(&["status"]).expect(0);
    let absent = chain.headers(&["checkpoint", "remove", "4"]).expect(1);
    assert!(absent.stderr.contains("No checkpoint was added"), "{}", absent.stderr);
    let listed = chain.headers(&["checkpoint", "list", "--json"]).expect(0).json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert_eq!((&listed[0]["height"], &listed[0]["standing"]), (&3.into(), &"linked".into()));
}

#[test]
fn beside_a_server_checkpoints_go_to_it_and_an_import_waits() {
    let chain = Chain::of_height(3);
    let server = chain.world.with_environment(|variables| Running::start(&["serve"], variables));
    chain.headers(&["status"]).expect(0);
    let checkpoint = chain.checkpoint(2);
    let refused = chain.import().expect(1);
    assert!(refused.stderr.contains("stop the server"), "{}", refused.stderr);
    let added = chain.headers(&["checkpoint", "add", &checkpoint]).expect(0);
    assert!(added.stdout.contains(&checkpoint), "{}", added.stdout);
    assert!(server.stop().success());
    chain.headers(&["checkpoint", "remove", "2"]).expect(0);
    let refused = chain.headers(&["checkpoint", "remove", "2"]).expect(1);
    assert!(refused.stderr.contains("No checkpoint was added"), "{}", refused.stderr);
}
