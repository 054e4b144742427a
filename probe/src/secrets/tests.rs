//! Values from files, variables and programs.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt};
use tempfile::TempDir;

fn folder(document: &str) -> (TempDir, Secrets) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secrets.yaml");
    fs::write(&file, document).expect("written");
    let secrets = Secrets::load(&file).expect("a right document");
    (folder, secrets)
}

async fn said(secrets: &Secrets, name: &str) -> String {
    secrets.get(name).await.expect_err(name).to_string()
}

#[tokio::test]
async fn values_come_from_their_places() {
    let (folder, secrets) = folder(
        "a: { file: a.key }\nb: { command: [printf, 'b-value\\n'] }\nc: { env: PATH }\n\
         d: { command: [env] }\n",
    );
    fs::write(folder.path().join("a.key"), "a-value\r\n").expect("written");
    assert_eq!(secrets.get("a").await.expect("a value").reveal(), "a-value");
    assert_eq!(secrets.get("b").await.expect("a value").reveal(), "b-value");
    assert_eq!(secrets.get("c").await.expect("a value").reveal(), std::env::var("PATH").expect("set"));
    // Of this process's variables (Cargo sets many) a command sees three.
    let seen = secrets.get("d").await.expect("a value");
    let names: Vec<&str> = seen.reveal().lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    assert!(names.contains(&"PATH"), "{names:?}");
    assert!(names.iter().all(|name| ["PATH", "HOME", "LANG"].contains(name)), "{names:?}");
    assert_eq!(format!("{seen:?} {secrets:?}"), "Secret(redacted) Secrets([\"a\", \"b\", \"c\", \"d\"])");
}

#[tokio::test]
async fn what_is_missing_is_explained() {
    assert_eq!(
        said(&Secrets::default(), "key").await,
        "the check uses the secret `key`, and this probe was given none: start it with --secrets FILE"
    );
    let (folder, secrets) = folder(
        "file: { file: none }\ndir: { file: '.' }\nenv: { env: SEXTANT_NO_SUCH_VARIABLE }\n\
         program: { command: [/no/such/program] }\nfails: { command: [sh, -c, 'echo hunter2; exit 3'] }\n\
         long: { command: [sh, -c, 'yes hunter2'] }\nempty: { file: empty }\nshort: { file: short }\n\
         binary: { file: binary }\nbig: { file: big }\n",
    );
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("written");
    write("empty", b"\n");
    write("short", b"abc\n");
    write("binary", &[0xff, 0xfe, 1, 2, 3]);
    write("big", &vec![b'x'; VALUE_MOST + 1]);
    for (name, expected) in [
        ("nope", "no secret `nope`: add it to the probe's secrets file; there are big, binary, dir, empty"),
        ("file", "there is no such file"),
        ("dir", "it is no regular file"),
        ("env", "environment variable SEXTANT_NO_SUCH_VARIABLE of the probe, which is not set"),
        ("program", "from /no/such/program: there is no such program"),
        ("fails", "it failed (exit status: 3); run it by hand to see why"),
        ("long", "it wrote more than 65536 bytes"),
        ("empty", "its value is empty"),
        ("short", "is shorter than 4 bytes"),
        ("binary", "is no text (UTF-8)"),
        ("big", "is longer than 65536 bytes"),
    ] {
        let said = said(&secrets, name).await;
        assert!(said.contains(expected), "{name}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}

/// The file of a program that counts how often it ran, by one line each.
fn runs(folder: &TempDir) -> usize {
    fs::read_to_string(folder.path().join("runs")).map_or(0, |text| text.lines().count())
}

#[tokio::test]
async fn values_are_kept_until_they_are_old_and_in_use_when_reading_fails() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secrets.yaml");
    let script = folder.path().join("script");
    let counting = |then: &str| format!("echo x >> {}; {then}", folder.path().join("runs").display());
    fs::write(&script, counting("echo first")).expect("written");
    fs::write(&file, format!("v: {{ command: [sh, {}], refresh: 60s }}\n", script.display()))
        .expect("written");
    let secrets = Secrets::load(&file).expect("a right document");
    let (one, other) = tokio::join!(secrets.get("v"), secrets.get("v"));
    assert_eq!((one.expect("a value").reveal(), other.expect("a value").reveal()), ("first", "first"));
    assert_eq!(runs(&folder), 1);

    fs::write(&script, counting("echo second")).expect("written");
    assert_eq!(secrets.get("v").await.expect("a value").reveal(), "first");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(secrets.get("v").await.expect("a value").reveal(), "second");
    assert_eq!(runs(&folder), 2);

    fs::write(&script, counting("exit 1")).expect("written");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(61)).await;
    tokio::time::resume();
    assert_eq!(secrets.get("v").await.expect("the last value").reveal(), "second");
    assert_eq!(secrets.get("v").await.expect("the last value").reveal(), "second");
    assert_eq!(runs(&folder), 3, "a failure is remembered for a while");
}

#[tokio::test]
async fn a_command_that_hangs_is_killed_with_all_it_started() {
    let (folder, secrets) = folder("v: { command: [sh, run] }\n");
    let (pid, script) = (folder.path().join("pid"), folder.path().join("run"));
    fs::write(&script, format!("sleep 600 & echo $! > {}; wait", pid.display())).expect("written");
    let secrets = {
        drop(secrets);
        let document = format!("v: {{ command: [sh, {}] }}\n", script.display());
        fs::write(folder.path().join("secrets.yaml"), document).expect("written");
        Secrets::load(&folder.path().join("secrets.yaml")).expect("a right document")
    };
    let asked = tokio::spawn(async move { secrets.get("v").await });
    let sleeper = loop {
        let written = fs::read_to_string(&pid).unwrap_or_default();
        match written.trim().parse::<i32>() {
            Ok(id) => break Pid(id),
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    assert!(sleeper.lives());
    // Nobody waits the ten seconds out: the clock is moved.
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
    let why = asked.await.expect("no panic").expect_err("it hangs").to_string();
    assert!(why.contains("took longer than 10 s and was killed"), "{why}");
    while sleeper.lives() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

struct Pid(i32);

impl Pid {
    /// Running: neither gone nor a zombie that nobody has waited for yet.
    fn lives(&self) -> bool {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0)).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim().starts_with('Z'))
    }
}

#[tokio::test]
async fn files_that_others_can_read_are_warned_of() {
    let (folder, _) = folder("a: { file: a.key }\nb: { file: b.key }\n");
    for (name, mode) in [("a.key", 0o600), ("b.key", 0o644), ("secrets.yaml", 0o666)] {
        let file = folder.path().join(name);
        if name != "secrets.yaml" {
            fs::write(&file, "value").expect("written");
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("permissions");
    }
    let secrets = Secrets::load(&folder.path().join("secrets.yaml")).expect("a right document");
    let warnings = secrets.warnings();
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("secrets.yaml can be changed by others"), "{warnings:?}");
    assert!(warnings[1].contains("read the secret `b`: chmod o-r "), "{warnings:?}");
}

#[tokio::test]
async fn secrets_stay_with_the_hosts_that_the_operator_names() {
    let (_folder, secrets) = folder(
        "anywhere: { env: PATH }\nsome: { env: PATH, hosts: [Shop.Test, '*.shop.example', 192.0.2.1, '[::1]'] }\n",
    );
    for host in ["shop.test", "SHOP.test.", "eu.shop.example", "192.0.2.1", "[::1]"] {
        assert_eq!(secrets.permits("some", host), Ok(()), "{host}");
    }
    for host in ["evil.test", "shop.test.evil.test", "shop.example", ".shop.example", "xshop.test", ""] {
        let refused = secrets.permits("some", host).expect_err(host).to_string();
        assert!(refused.contains("does not send the secret `some` to"), "{refused}");
        assert_eq!(secrets.permits("anywhere", host), Ok(()));
    }
}
