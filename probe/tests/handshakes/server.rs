//! A throw-away nginx: its own folder, a free port, an authority of its own.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, SerialNumber};
use std::{fs, io, path::Path, process::Stdio, time::Duration};
use tempfile::TempDir;
use tokio::{
    net::TcpStream,
    process::{Child, Command},
};

/// How long a start may take; a machine that is busy is slow.
const START_MOST: Duration = Duration::from_secs(30);
const SERIAL: u64 = 0x1001;

/// What the server shall do beyond the usual.
#[derive(Default)]
pub struct Site {
    pub directives: &'static str,
    /// Refuse the handshake for names other than `localhost`.
    pub reject_others: bool,
    /// Writes the OCSP response to staple into the folder, as `ocsp.der`.
    pub staple: Option<fn(&Path)>,
}

/// A running server; it ends with the value.
pub struct Nginx {
    pub port: u16,
    /// The authority's certificate, PEM.
    pub ca: String,
    _process: Child,
    _folder: TempDir,
}

/// Starts it, or says that there is none.
pub async fn nginx(site: Site) -> Option<Nginx> {
    let program = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|program| Path::new(program).exists());
    let Some(program) = program else {
        eprintln!("not run: nginx is not installed");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let ca = certificates(folder.path());
    if let Some(write) = site.staple {
        write(folder.path());
    }
    // The port is free now; where somebody takes it before nginx does, another one is tried.
    for _ in 0..5 {
        let port = free_port().expect("loopback has free ports");
        fs::write(folder.path().join("nginx.conf"), configuration(&site, folder.path(), port))
            .expect("written");
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).args(["-c", "nginx.conf", "-e", "error.log"]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let mut process = command.spawn().expect("it starts");
        if listens(&mut process, port).await {
            return Some(Nginx { port, ca, _process: process, _folder: folder });
        }
    }
    let log = fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
    panic!("nginx does not start: {log}");
}

fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Waits until it accepts; false when it ended.
async fn listens(process: &mut Child, port: u16) -> bool {
    let ready = async {
        while TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            if process.try_wait().expect("it can be asked").is_some() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // Somebody else's server may have answered.
        process.try_wait().expect("it can be asked").is_none()
    };
    tokio::time::timeout(START_MOST, ready).await.unwrap_or(false)
}

/// Writes `ca.pem`, `ca.key`, `leaf.pem` and `leaf.key`; gives the first.
fn certificates(folder: &Path) -> String {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "Shop Root");
    let authority_key = KeyPair::generate().expect("ring makes keys");
    let ca = authority.self_signed(&authority_key).expect("signs").pem();
    let mut leaf =
        CertificateParams::new(vec!["localhost".to_owned(), "other.test".to_owned()]).expect("names");
    leaf.serial_number = Some(SerialNumber::from(SERIAL));
    let leaf_key = KeyPair::generate().expect("ring makes keys");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("written");
    write("ca.pem", &ca);
    write("ca.key", &authority_key.serialize_pem());
    write("leaf.key", &leaf_key.serialize_pem());
    let issuer = Issuer::new(authority, authority_key);
    write("leaf.pem", &leaf.signed_by(&leaf_key, &issuer).expect("signs").pem());
    ca
}

/// Has OpenSSL answer for the authority that the certificate is good.
pub fn stapled_response(folder: &Path) {
    let entry = format!("V\t400101000000Z\t\t{SERIAL:04X}\tunknown\t/CN=localhost\n");
    fs::write(folder.join("index.txt"), entry).expect("written");
    let made = std::process::Command::new("openssl")
        .args(["ocsp", "-index", "index.txt", "-CA", "ca.pem", "-rsigner", "ca.pem", "-rkey", "ca.key"])
        .args(["-issuer", "ca.pem", "-cert", "leaf.pem", "-ndays", "7", "-respout", "ocsp.der", "-noverify"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed where nginx is");
    assert!(made.status.success(), "{made:?}");
    let read = std::process::Command::new("openssl")
        .args(["ocsp", "-respin", "ocsp.der", "-noverify", "-resp_text"])
        .current_dir(folder)
        .output()
        .expect("openssl is installed where nginx is");
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    assert!(text.contains("Cert Status: good"), "{text}");
}

fn configuration(site: &Site, folder: &Path, port: u16) -> String {
    let Site { directives, reject_others, staple } = site;
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .collect();
    let staple = match staple {
        Some(_) => format!("ssl_stapling on; ssl_stapling_file {folder}/ocsp.der;"),
        None => String::new(),
    };
    let reject = match reject_others {
        true => format!("server {{ listen 127.0.0.1:{port} ssl default_server; ssl_reject_handshake on; }}"),
        false => String::new(),
    };
    format!(
        "daemon off; master_process off; pid {folder}/pid;\nevents {{}}\nhttp {{\naccess_log off;\n{temporary}\
         ssl_certificate {folder}/leaf.pem; ssl_certificate_key {folder}/leaf.key;\n{reject}\n\
         server {{ listen 127.0.0.1:{port} ssl; server_name localhost; {directives} {staple} return 204; }}\n}}\n"
    )
}
