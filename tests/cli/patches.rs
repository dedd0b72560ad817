//! `patches`: out of a store and into another, beside a server and without one.

use crate::program::get;
use crate::world::World;

#[test]
fn products_go_out_of_one_store_and_into_another() {
    let world = World::start();
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].as_str().unwrap().to_owned();
    let file = world.folder.path().join("in.csv");
    let name = file.to_str().unwrap();
    let rows = format!("TAG-1;{owner};=1+1\nTAG-2;{owner};Shirt\nab;{owner};x\n");
    std::fs::write(&file, format!("uid_tag_id;owner;name\n{rows}")).unwrap();
    let server = world.serve();
    let looked = world.run(&["patches", "import", name, "--dry-run"]).expect(1);
    assert!(looked.stdout.contains("VALIDATION_FAILED"), "{looked:?}");
    assert!(looked.stderr.ends_with("2 of 3 rows are acceptable, none was registered\n"));
    world.run(&["patches", "import", name, "--yes"]).expect(1);
    let unsure = world.run(&["patches", "import", name, "--skip-bad"]).expect(1);
    assert!(unsure.stderr.contains("say --yes"), "{unsure:?}");
    let done = world.run(&["patches", "import", name, "--skip-bad", "--yes"]).expect(0);
    assert!(done.stderr.ends_with("2 products registered, 1 rows left out\n"), "{done:?}");

    let export = |file: &str, options: &[&str]| {
        let path = world.folder.path().join(file);
        let arguments = [&["patches", "export", path.to_str().unwrap()], options].concat();
        let told = world.run(&arguments).expect(0).stderr;
        (told, std::fs::read_to_string(path).unwrap())
    };
    let (told, csv) = export("out.csv", &["--sort", "-uid"]);
    assert_eq!(told, "2 products written\n");
    assert!(csv.lines().nth(2).unwrap().starts_with("TAG-1,'=1+1,"), "{csv}");
    assert!(server.stop().success());
    let (_, lines) = export("out.jsonl", &["--search", "shirt", "--owner", &owner]);
    assert!(lines.contains("\"TAG-2\"") && lines.ends_with("{\"complete\":true,\"rows\":1}\n"));
    let (_, all) = export("all.jsonl", &[]);
    world.run(&["check"]).expect(0);
    drop(all);

    let other = World::start();
    let all = world.folder.path().join("all.jsonl");
    let arguments = ["patches", "import", all.to_str().unwrap(), "--yes", "--json"];
    let server = other.serve();
    let done = other.run(&arguments).expect(0).json();
    assert_eq!(
        (&done["import"]["registered"], &done["import"]["state"]),
        (&2.into(), &"done".into())
    );
    assert!(server.stop().success());
    // The same again, without a server: every tag is taken, and nothing happens.
    let again = other.run(&["patches", "import", all.to_str().unwrap(), "--yes"]).expect(1);
    assert_eq!(again.stdout.matches("UID_TAKEN").count(), 2, "{again:?}");
    other.run(&["check"]).expect(0);
}

#[test]
fn a_server_killed_in_the_midst_of_an_import_registers_each_row_once() {
    let world = World::start();
    let owner = get(&world.signer.url, "/keys")[0]["addressTest"].as_str().unwrap().to_owned();
    let rows: String = (0..3_000).map(|number| format!("ROW-{number},{owner}\n")).collect();
    let file = world.folder.path().join("in.csv");
    std::fs::write(&file, format!("uid_tag_id,owner\n{rows}")).unwrap();
    let mut server = world.serve();
    let socket = format!("unix://{}", world.data_file("control.sock").display());
    let path = "/v1/admin/imports?dryRun=false";
    let body = std::fs::read_to_string(&file).unwrap();
    let (status, import) =
        crate::program::ask(&socket, "POST", path, "content-type: text/csv\r\n", &body);
    assert_eq!(status, 202, "{import}");
    let path = format!("/v1/admin/imports/{}", import["id"].as_str().unwrap());
    let mut seen = Vec::new();
    for _ in 0..6 {
        server.kill();
        drop(server);
        server = world.serve();
        let now = get(&socket, &path);
        seen.push(now["registered"].as_u64().unwrap());
    }
    assert!(seen.is_sorted() && seen[0] < 3_000, "it was over before it was killed: {seen:?}");
    loop {
        let now = get(&socket, &path);
        if now["state"] == "done" {
            assert_eq!((&now["registered"], &now["failed"]), (&3_000.into(), &0.into()));
            break;
        }
    }
    let page = get(&socket, "/v1/admin/patches?limit=1");
    assert_eq!(page["total"], 3_000);
    assert!(server.stop().success());
    world.run(&["check"]).expect(0);
}
